//! The stored corpus of the fuzz targets, without libFuzzer: seeds, and every input
//! that a target once failed with.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

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
