//! Advisories that the documentation asks for, so that its queries find something in the
//! demo. They say themselves that they are invented.

use super::advisory::SimulatedAdvisory;
use super::parts::{Item, Weakness};

/// The index of `SA70002`, whose history the documentation asks for: it gets a
/// solution with every other revision.
pub const REVISED: u64 = 2;
/// The index of `SA72735`, which is about the product and the CVE of the documentation.
pub const NAMED: u64 = 2735;

/// Vendor Patched and No Fix, as codes of contract §7.
const PATCHED: u8 = 2;
const NO_FIX: u8 = 1;
/// Highly critical, as a code of contract §7.
const HIGHLY: u8 = 2;

const DESCRIPTION: &str = "This advisory is invented, so that examples of the documentation find something: OpenSSL has no such vulnerability.\r\n\r\nAn error when handling records can be exploited to cause a buffer overflow. Successful exploitation may allow remote code execution.";

/// Makes one of the documentation's advisories of what was generated in its place.
pub fn apply(record: &mut SimulatedAdvisory) {
    match record.entry.index {
        REVISED => {
            let is_patched = record.entry.revision % 2 == 1;
            record.solution_status = if is_patched { PATCHED } else { NO_FIX };
            record.criticality = HIGHLY;
        }
        NAMED => {
            "OpenSSL Code Execution Vulnerability (invented)".clone_into(&mut record.title);
            DESCRIPTION.clone_into(&mut record.description);
            record.criticality = HIGHLY;
            record.solution_status = NO_FIX;
            record.products = vec![Item {
                id: "1".to_owned(),
                name: "OpenSSL 3.x".to_owned(),
                is_os: false,
                cpes: vec!["cpe:/a:openssl:openssl:3.0".to_owned()],
            }];
            record.weaknesses = vec![Weakness {
                cve: "CVE-2026-1234".to_owned(),
                text: "An invented weakness of an invented advisory.".to_owned(),
            }];
        }
        _ => {}
    }
}
