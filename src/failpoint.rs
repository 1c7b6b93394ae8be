//! Named kill points for the durability tests.
//!
//! What always holds: without the feature `failpoints` a point compiles to nothing; with it,
//! `CROSSDOCK_FAILPOINT=name[:nth]` aborts the process at the nth time (from 1) that the point is
//! reached, as a power cut would; every point in `src/` is in [`ALL`] (a test greps both ways), so
//! that the durability test, which enumerates the list, misses none.

/// Every kill point there is.
pub const ALL: &[&str] = &[
    "append.before_commit",
    "append.after_commit",
    "apply.before_commit",
    "apply.after_commit",
    "worker.before_apply",
    "worker.after_apply",
    "poll.before_page",
    "poll.after_page",
    "poll.before_note",
    "job.after_lease",
    "job.after_attempt",
    "job.before_report",
    "job.after_report",
    "job.before_result",
    "egress.before_send",
    "egress.after_send",
    "egress.before_progress",
    "egress.after_progress",
    "rotate.before_rewrap",
    "rotate.before_commit",
    "rotate.after_rewrap",
];

/// Marks a kill point: `failpoint!("append.before_commit")`.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::hit($name);
    };
}
pub(crate) use failpoint;

/// Aborts when this point is the one that the environment names.
#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "no setting: it exists in test builds only"
)]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("CROSSDOCK_FAILPOINT").ok()?;
        match text.rsplit_once(':') {
            Some((name, nth)) => Some((name.to_owned(), nth.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    if let Some((wanted, nth)) = wanted
        && wanted == name
        && SEEN.fetch_add(1, Ordering::SeqCst).saturating_add(1) == *nth
    {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::ALL;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn points_in(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                points_in(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("failpoint.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                for rest in text.split("failpoint!(\"").skip(1) {
                    found.insert(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn the_list_names_every_point_and_no_other() {
        let mut found = BTreeSet::new();
        points_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        let listed: BTreeSet<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, listed);
        assert_eq!(listed.len(), ALL.len(), "a name is listed twice");
    }
}
