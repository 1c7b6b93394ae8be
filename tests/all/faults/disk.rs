//! A small disk that can be filled: a file system in memory, where mounting is allowed.
//!
//! What always holds: it is taken away at the end; where it cannot be had, the run says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How large it is.
const SIZE: &str = "size=96m";
const PIECE: usize = 64 << 10;

pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    pub fn mounted() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "crossdock-faults"]);
        let done = mount
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes what is left of it, to the last byte.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let piece = vec![1; PIECE];
        while file.write_all(&piece).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there was killed a moment ago.
        let mut unmount = Command::new("umount");
        let _ = unmount.arg("-l").arg(self.folder.path()).status();
    }
}
