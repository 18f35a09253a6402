use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use super::{get, simulator};
use crate::model::Severity;
use crate::simulate::{SimulatedProfile, SimulatorOptions, WorldStep, start};

#[tokio::test]
async fn a_revision_changes_text_and_time_and_may_make_it_worse() {
    let simulator = simulator(|_| {}).await;
    simulator.set_clock(TimeDelta::days(1));
    let said = simulator
        .saids(1)
        .into_iter()
        .find(|said| simulator.expected(said).unwrap().severity() == Some(Severity::LessCritical));
    let said = said.unwrap();
    let before = simulator.expected(&said).unwrap();
    assert!(simulator.revise(&said, true));
    let after = simulator.expected(&said).unwrap();
    assert_eq!(after.severity(), Some(Severity::ModeratelyCritical));
    assert!(after.modified_at > before.modified_at && after.released_at == before.released_at);
    assert_ne!(after.description, before.description);
    assert!(simulator.reject(&said));
    assert_eq!(
        simulator.expected(&said).unwrap().severity(),
        Some(Severity::Rejected)
    );
    assert!(!simulator.revise("SA99", true) && !simulator.reject("nonsense"));
}

#[tokio::test]
async fn what_is_expected_is_what_the_detail_says() {
    let simulator = simulator(|_| {}).await;
    for said in simulator.all_saids() {
        let expected = simulator.expected(&said).unwrap();
        let detail = get(&simulator, &format!("/api/advisories/{said}/")).await;
        let detail = if detail.status == 429 {
            break;
        } else {
            detail.json()
        };
        assert_eq!(expected.title.as_deref(), detail["title"].as_str());
        assert_eq!(
            expected.cves.len(),
            detail["vulnerabilities"].as_array().unwrap().len()
        );
        assert_eq!(
            expected.products.len(),
            detail["products"].as_array().unwrap().len()
        );
        let text = detail["description"]
            .as_str()
            .unwrap()
            .replace("\r\n", "\n");
        assert_eq!(expected.description, Some(text));
        let score: Option<f64> = detail["cvss3_score"]
            .as_str()
            .and_then(|score| score.parse().ok());
        assert_eq!(expected.cvss3.score, score.filter(|score| *score > 0.0));
        assert_eq!(expected.clone().normalised(), expected);
        assert!(!expected.description.unwrap().contains('\r'));
    }
}

#[tokio::test]
async fn publishing_joining_and_tickets_show_at_once() {
    let simulator = simulator(|_| {}).await;
    let new = simulator.publish(3);
    assert_eq!(new, ["SA70150", "SA70151", "SA70152"]);
    let list = simulator.add_watch_list().unwrap();
    assert_eq!((list, simulator.saids(list).len()), (5, 0));
    assert!(simulator.join(&new[0], list) && !simulator.join(&new[0], 64));
    assert_eq!(simulator.saids(list), [new[0].as_str()]);
    let ids = simulator.add_tickets(2);
    assert!(simulator.remove_ticket(ids[0]) && simulator.ticket(ids[0]).is_none());
    assert_eq!(simulator.ticket_ids().len(), 131);
    let before = simulator.ticket(ids[1]).unwrap();
    simulator.set_clock(TimeDelta::minutes(5));
    assert!(simulator.touch_ticket(ids[1]));
    assert_ne!(
        simulator.ticket(ids[1]).unwrap()["modified"],
        before["modified"]
    );
}

#[tokio::test]
async fn the_world_keeps_changing_by_itself() {
    let simulator = simulator(|_| {}).await;
    assert_ne!(simulator.tick(), WorldStep::default());
    let before = simulator.all_saids().len();
    simulator.keep_changing(Duration::from_millis(5));
    let grown = async {
        while simulator.all_saids().len() < before + 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, grown).await.unwrap();
    simulator.stop().await;
}

#[tokio::test]
async fn two_simulators_with_one_seed_and_clock_are_the_same() {
    let options = || SimulatorOptions {
        profile: SimulatedProfile::Drf,
        starts_at: Some(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
        advisories: 50,
        ..SimulatorOptions::default()
    };
    let (one, two) = (
        start(options()).await.unwrap(),
        start(options()).await.unwrap(),
    );
    let target = "/api/xml-feed/?feed_type=all&days=400";
    assert_eq!(
        get(&one, target).await.text(),
        get(&two, target).await.text()
    );
    assert_eq!(one.ticket(7), two.ticket(7));
}

#[tokio::test]
async fn impossible_worlds_are_refused_with_the_reason() {
    for (lists, reason) in [(0, "no watch list"), (65, "at most 64")] {
        let options = SimulatorOptions {
            watch_lists: lists,
            ..SimulatorOptions::default()
        };
        let error = start(options).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(reason), "{source}");
    }
    let first = start(SimulatorOptions::default()).await.unwrap();
    let second = start(SimulatorOptions {
        listen: first.addr(),
        ..SimulatorOptions::default()
    })
    .await;
    assert!(
        second
            .unwrap_err()
            .to_string()
            .contains("cannot listen on 127.0.0.1:")
    );
}

#[tokio::test]
async fn the_vendors_proportions_are_kept_where_they_are_asked_for() {
    let simulator = simulator(|options| {
        options.advisories = 10_000;
        options.in_proportion = true;
    })
    .await;
    let (mut rejected, mut extremely_critical, mut zero_days) = (0, 0, 0);
    for said in simulator.all_saids() {
        let advisory = simulator.expected(&said).unwrap();
        rejected += u32::from(advisory.is_rejected);
        let is_worst = advisory.severity() == Some(Severity::ExtremelyCritical);
        extremely_critical += u32::from(is_worst);
        zero_days += u32::from(advisory.is_zero_day == Some(true));
    }
    assert!((2_200..2_470).contains(&rejected), "{rejected}");
    assert!(
        (20..65).contains(&extremely_critical),
        "{extremely_critical}"
    );
    assert!((45..100).contains(&zero_days), "{zero_days}");
}
