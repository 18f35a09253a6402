//! The stored corpus of the fuzz targets, without libFuzzer: seeds, and every input
//! that a target once failed with.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::fuzzed::TARGETS;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus");
/// The corpus is part of the repository.
const MAX_BYTES: u64 = 1024 * 1024;

#[test]
fn every_stored_input_holds_what_its_target_promises() {
    let mut bytes = 0;
    let mut failed = Vec::new();
    for (name, run) in TARGETS {
        let inputs = fs::read_dir(Path::new(CORPUS).join(name)).expect("its folder");
        let mut count = 0;
        for input in inputs {
            let path = input.unwrap().path();
            let input = fs::read(&path).unwrap();
            bytes += input.len() as u64;
            count += 1;
            if catch_unwind(|| run(&input)).is_err() {
                failed.push(path);
            }
        }
        assert!(count >= 5, "{name} has {count} inputs");
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(bytes < MAX_BYTES, "{bytes} bytes");
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let fuzz = Path::new(CORPUS).parent().unwrap();
    let names = |folder: &str| -> BTreeSet<String> {
        fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}

/// What makes a difference to readers of XML and JSON.
const TOKENS: [&str; 24] = [
    "<",
    ">",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<!DOCTYPE a [",
    "&",
    ";",
    "&#0;",
    "&lt;",
    "\"",
    "'",
    "\0",
    "\u{feff}",
    "{",
    "}",
    "[",
    "\\ud800",
    "SA9",
];
/// As `make fuzz` limits inputs.
const LONGEST_BYTES: usize = 16 * 1024;

/// One of the stored inputs with a few changes.
fn mutated(rng: &mut Rng, stored: &[Vec<u8>]) -> Vec<u8> {
    let some = |rng: &mut Rng| stored[rng.usize(..stored.len())].clone();
    let mut input = some(rng);
    for _ in 0..rng.usize(1..6) {
        let from = rng.usize(..=input.len());
        let to = (from + rng.usize(..32)).min(input.len());
        match rng.u8(..6) {
            0 => drop(input.drain(from..to)),
            1 => {
                let again = input[from..to].to_vec();
                input.splice(from..from, again);
            }
            2 => {
                let token = TOKENS[rng.usize(..TOKENS.len())];
                input.splice(from..from, token.bytes());
            }
            3 => input[from..to]
                .iter_mut()
                .for_each(|byte| *byte ^= rng.u8(..)),
            4 => {
                let other = some(rng);
                let place = rng.usize(..=other.len());
                input.truncate(from);
                input.extend_from_slice(&other[place..]);
            }
            _ => input.truncate(from),
        }
    }
    input.truncate(LONGEST_BYTES);
    input
}

/// What `make fuzz` does with libFuzzer, where that cannot be built: for `FUZZ_SECONDS` per
/// target, by default a moment. An input that fails is kept in `tests/fuzz/artifacts`.
#[test]
fn changed_inputs_hold_what_their_target_promises() {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(0.5, |text| text.parse().expect("seconds"));
    let mut failed = Vec::new();
    for (name, run) in TARGETS {
        let inputs = fs::read_dir(Path::new(CORPUS).join(name)).expect("its folder");
        let stored: Vec<Vec<u8>> = inputs
            .map(|input| fs::read(input.unwrap().path()).unwrap())
            .collect();
        let (mut rng, mut count) = (Rng::new(), 0_u64);
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            let input = mutated(&mut rng, &stored);
            count += 1;
            if catch_unwind(|| run(&input)).is_err() {
                let folder = Path::new(CORPUS).with_file_name("artifacts").join(name);
                fs::create_dir_all(&folder).unwrap();
                let path = folder.join(format!("changed-{:016x}", rng.u64(..)));
                fs::write(&path, &input).unwrap();
                failed.push(path);
                break;
            }
        }
        eprintln!("{name}: {count} inputs");
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
