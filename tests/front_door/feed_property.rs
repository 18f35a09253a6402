//! Whatever happens in whatever order: one clean pull makes the database equal
//! to what upstream says.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule, SimulatorOptions};
use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;

use crate::support::property::always;
use crate::support::{World, small};

/// Each case is a world of its own with up to this many steps.
const CASES: u32 = 10;
const STEPS: usize = 14;

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Revise(usize, bool),
    Reject(usize),
    Join(usize, i64),
    Fault(AnswerFault),
    Later(u32),
    Pull,
}

fn step() -> impl Strategy<Value = Step> {
    let cut = (0..300_000_usize, any::<bool>())
        .prop_map(|(after_bytes, clean)| AnswerFault::Truncate { after_bytes, clean });
    let fault = prop_oneof![
        cut,
        Just(AnswerFault::Status(500)),
        Just(AnswerFault::Html200),
        Just(AnswerFault::Damaged(Damage::ControlCharacters)),
        Just(AnswerFault::Damaged(Damage::OneBadRecord)),
        Just(AnswerFault::Damaged(Damage::Empty)),
        Just(AnswerFault::Damaged(Damage::NotRecognised)),
    ];
    prop_oneof![
        1 => Just(Step::Publish),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, worse)| Step::Revise(which, worse)),
        1 => any::<usize>().prop_map(Step::Reject),
        1 => (any::<usize>(), 1..=3_i64).prop_map(|(which, list)| Step::Join(which, list)),
        2 => fault.prop_map(Step::Fault),
        1 => (1..200_u32).prop_map(Step::Later),
        4 => Just(Step::Pull),
    ]
}

async fn take(world: &World, step: Step) {
    let simulator = &world.simulator;
    let all = simulator.all_saids();
    let said = |which: usize| &all[which % all.len()];
    match step {
        Step::Publish => drop(simulator.publish(1)),
        Step::Revise(which, worse) => drop(simulator.revise(said(which), worse)),
        Step::Reject(which) => drop(simulator.reject(said(which))),
        Step::Join(which, list) => drop(simulator.join(said(which), list)),
        Step::Fault(fault) => simulator.inject(FaultRule::new(fault).on("xml-feed")),
        Step::Later(hours) => world.later(TimeDelta::hours(hours.into())),
        Step::Pull => drop(world.pull().await),
    }
}

async fn ends_well(steps: Vec<Step>) {
    let world = World::with(SimulatorOptions {
        watch_lists: 3,
        ..small()
    })
    .await;
    for step in steps {
        take(&world, step).await;
    }
    world.simulator.clear_faults();
    // What only joined a list has no new date: it is in no shorter window.
    for report in world.pull_back(LookBack::Full).await {
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    }
    world.assert_all_is_stored().await;
}

#[test]
fn one_clean_pull_makes_everything_equal_whatever_happened_before() {
    always(CASES, &vec(step(), 1..STEPS), ends_well);
}
