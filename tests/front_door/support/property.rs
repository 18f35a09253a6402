//! Runs properties: whatever happens in whatever order, it ends well.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Builder;

/// Most attempts to find a shorter history that ends badly too.
const MAX_SHRINK_ITERS: u32 = 20;

/// Lets `cases` histories happen, each in a world that `ends_well` makes for it;
/// panics with the shortest that was found to end badly.
pub fn always<T: Debug>(
    cases: u32,
    histories: &impl Strategy<Value = T>,
    ends_well: impl AsyncFn(T),
) {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: MAX_SHRINK_ITERS,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(histories, |history| {
        runtime.block_on(ends_well(history));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
