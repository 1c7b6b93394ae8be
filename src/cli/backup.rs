//! `crossdock store backup`: the embedded store as one file, while the gateway runs.

use super::{FOUND, OK, Streams};
use crate::settings::Settings;
use std::path::Path;

/// Makes the copy and says what goes with it.
pub fn run(settings: &Settings, to: &Path, streams: &mut Streams<'_>) -> u8 {
    match crate::app::back_up_store(settings, to) {
        Ok(bytes) => {
            streams.line(&format!(
                "{}: {bytes} bytes, looked through; the master key opens it and is not in it",
                to.display()
            ));
            OK
        }
        Err(error) => {
            streams.note(&error.to_string());
            FOUND
        }
    }
}
