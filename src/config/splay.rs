//! `[schedule] splay`: a stable offset, so that many installations do not ask upstream in
//! the same second.

use std::io::Read as _;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::tree::SettingNode;
use super::values::text;
use crate::config::advice::Advice;

/// Identifies a machine (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";
/// Maximum length of a machine id, in bytes: 32 digits and a line end.
const MAX_ID_BYTES: u64 = 64;

/// Whether default schedules are moved. Schedules in the configuration never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Splay {
    /// By 0 to 59 seconds, the same at every start of this installation.
    Auto,
    /// Not at all.
    None,
}

impl Splay {
    /// The offset of a schedule, in seconds, below 60. None without an installation.
    pub(super) fn seconds(self, installation: &str, key: &str) -> u32 {
        if self == Self::None || installation.is_empty() {
            return 0;
        }
        let hash = xxh3_64(format!("{installation}\n{key}").as_bytes());
        u32::try_from(hash % 60).unwrap_or(0)
    }
}

/// Identifies the installation: the machine and the configuration file.
pub(super) fn installation(file: &Path) -> String {
    let mut id = String::new();
    let read = std::fs::File::open(MACHINE_ID)
        .and_then(|file| file.take(MAX_ID_BYTES).read_to_string(&mut id));
    // Without a machine id, installations with the same path share an offset.
    if read.is_err() {
        id.clear();
    }
    format!("{}\n{}", id.trim(), file.display())
}

pub(super) fn splay(node: &SettingNode) -> Result<Splay, Advice> {
    match text(node)?.as_str() {
        "auto" => Ok(Splay::Auto),
        "none" => Ok(Splay::None),
        other => Err(Advice::one_of(other, &["auto", "none"])),
    }
}

#[cfg(test)]
mod tests {
    use super::Splay;

    #[test]
    fn offsets_are_stable_spread_and_below_a_minute() {
        let seconds = |installation: &str| Splay::Auto.seconds(installation, "feeds");
        let fleet: Vec<u32> = (0..6000).map(|n| seconds(&format!("{n:032x}"))).collect();
        for second in 0..60 {
            let here = fleet.iter().filter(|one| **one == second).count();
            assert!(
                (50..150).contains(&here),
                "{here} of 6000 at second {second}"
            );
        }
        assert_eq!(seconds("a"), seconds("a"));
        assert_ne!(
            Splay::Auto.seconds("a", "feeds"),
            Splay::Auto.seconds("a", "tickets")
        );
        assert_eq!(Splay::None.seconds("a", "feeds"), 0);
        assert_eq!(Splay::Auto.seconds("", "feeds"), 0);
    }
}
