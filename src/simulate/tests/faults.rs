use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::documents::records;
use super::{DEFAULT_TOKEN, get, simulator};
use crate::simulate::{AnswerFault, Damage, FaultRule, SimulatedProfile, Simulator, ThrottleForm};

const ALL: &str = "/api/xml-feed/?feed_type=all&days=400";
const TICKETS: &str = "/api/tickets/";

/// What one request gets while `fault` is in force, and that the next one is well again.
async fn struck(simulator: &Simulator, fault: AnswerFault, target: &str) -> super::Answer {
    simulator.inject(FaultRule::new(fault));
    let answer = get(simulator, target).await;
    let next = get(simulator, target).await;
    assert_eq!((next.status, next.end.unwrap()), (200, true));
    answer
}

#[tokio::test]
async fn a_rule_strikes_where_when_and_as_often_as_it_says() {
    let simulator = simulator(|_| {}).await;
    simulator.inject(
        FaultRule::new(AnswerFault::Status(503))
            .on("page=2")
            .after(1)
            .times(2),
    );
    let mut statuses = Vec::new();
    for target in [
        "/api/tickets/?page=2",
        TICKETS,
        "/api/tickets/?page=2",
        "/api/tickets/?page=2",
        "/api/tickets/?page=2",
    ] {
        statuses.push(get(&simulator, target).await.status);
    }
    assert_eq!(statuses, [200, 200, 503, 503, 200]);
    simulator.inject(FaultRule::new(AnswerFault::Status(500)).times(u32::MAX));
    assert_eq!(get(&simulator, TICKETS).await.status, 500);
    simulator.clear_faults();
    assert_eq!(get(&simulator, TICKETS).await.status, 200);
}

#[tokio::test]
async fn answers_that_come_instead_are_as_named() {
    let simulator = simulator(|_| {}).await;
    let html = struck(&simulator, AnswerFault::Html200, TICKETS).await;
    assert!(html.status == 200 && html.text().starts_with("<!DOCTYPE html>"));
    let json = struck(&simulator, AnswerFault::WrongType, ALL).await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    let plain = struck(&simulator, AnswerFault::WrongType, TICKETS).await;
    assert_eq!(plain.header("content-type"), Some("text/plain"));
    let elsewhere = AnswerFault::RedirectTo("http://127.0.0.1:1/steal".into());
    let redirect = struck(&simulator, elsewhere, TICKETS).await;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (302, Some("http://127.0.0.1:1/steal"))
    );
    let evil = struck(
        &simulator,
        AnswerFault::EvilNext("http://evil.example/".into()),
        TICKETS,
    )
    .await;
    assert_eq!(evil.json()["next"], "http://evil.example/");
    let throttled = AnswerFault::Throttled {
        form: ThrottleForm::Detail,
        seconds: 37,
    };
    let answer = struck(&simulator, throttled, TICKETS).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, None));
    assert_eq!(
        answer.json()["detail"],
        "Request was throttled. Expected available in 37 seconds."
    );
}

#[tokio::test]
async fn a_reset_comes_before_the_answer_or_within_its_body() {
    let simulator = simulator(|_| {}).await;
    let before = struck(&simulator, AnswerFault::Reset { after_bytes: 0 }, ALL).await;
    assert_eq!(before.end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(before.head.is_empty() && before.body.is_empty());
    let within = struck(&simulator, AnswerFault::Reset { after_bytes: 5000 }, ALL).await;
    assert_eq!(within.end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!((within.status, within.body.len()), (200, 5000));
}

#[tokio::test]
async fn a_truncated_body_breaks_its_promise_or_only_its_content() {
    let simulator = simulator(|_| {}).await;
    for target in [ALL, TICKETS] {
        let broken = struck(
            &simulator,
            AnswerFault::Truncate {
                after_bytes: 900,
                clean: false,
            },
            target,
        )
        .await;
        assert_eq!((broken.body.len(), broken.end.unwrap()), (900, false));
        let clean = struck(
            &simulator,
            AnswerFault::Truncate {
                after_bytes: 900,
                clean: true,
            },
            target,
        )
        .await;
        assert_eq!((clean.body.len(), clean.end.unwrap()), (900, true));
    }
}

#[tokio::test]
async fn a_stalled_body_says_nothing_more_and_does_not_end() {
    let simulator = simulator(|_| {}).await;
    simulator.inject(FaultRule::new(AnswerFault::Stall { after_bytes: 100 }));
    let mut stream = TcpStream::connect(simulator.addr()).await.unwrap();
    let request =
        format!("GET {ALL} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {DEFAULT_TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let silence = Duration::from_millis(300);
    while let Ok(read) = tokio::time::timeout(silence, stream.read_buf(&mut bytes)).await {
        assert_ne!(read.unwrap(), 0, "the connection stays open");
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("64\r\n<?xml") && text.len() < 1000, "{text}");
    simulator.stop().await;
    let end = tokio::time::timeout(super::PATIENCE, stream.read_buf(&mut bytes))
        .await
        .unwrap();
    assert!(
        matches!(end, Ok(0) | Err(_)),
        "a stopped simulator keeps no connection"
    );
}

#[tokio::test]
async fn a_paused_body_goes_on_when_its_gate_is_opened() {
    let simulator = simulator(|_| {}).await;
    simulator.inject(FaultRule::new(AnswerFault::Hold {
        after_bytes: 70_000,
        gate: "half".into(),
    }));
    let (answer, ()) = tokio::join!(get(&simulator, ALL), async {
        simulator.reached("half").await;
        simulator.open("half");
    });
    assert_eq!(records(SimulatedProfile::JsonNames, &answer.body), 150);
    simulator.inject(FaultRule::new(AnswerFault::Hold {
        after_bytes: 10,
        gate: "shut".into(),
    }));
    let shut = tokio::time::timeout(Duration::from_millis(300), get(&simulator, ALL)).await;
    assert!(shut.is_err(), "nobody opened it");
}

#[tokio::test]
async fn a_slow_body_takes_its_time() {
    let simulator = simulator(|options| options.advisories = 1).await;
    let length = get(&simulator, TICKETS).await.body.len();
    let begun = Instant::now();
    let rate = u32::try_from(length).unwrap() * 2;
    let slow = struck(
        &simulator,
        AnswerFault::Slow {
            bytes_per_second: rate,
        },
        TICKETS,
    )
    .await;
    assert_eq!(slow.body.len(), length);
    assert!(
        begun.elapsed() > Duration::from_millis(350),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn damage_is_in_one_record_and_as_named() {
    let simulator = simulator(|_| {}).await;
    let text = async |damage| {
        struck(&simulator, AnswerFault::Damaged(damage), ALL)
            .await
            .text()
    };
    assert_eq!(
        text(Damage::ControlCharacters)
            .await
            .matches('\u{1}')
            .count(),
        1
    );
    assert_eq!(
        text(Damage::Empty).await.split_once("?>\n").unwrap().1,
        "<advisories>\n</advisories>\n"
    );
    let strange = text(Damage::NotRecognised).await;
    assert_eq!(strange.matches("<entry><code>").count(), 150);
    assert!(!strange.contains("SA7"));
    let identifiers = text(Damage::OneBadRecord).await;
    assert_eq!(identifiers.matches("<advisory_identifier>SA").count(), 149);
    assert_eq!(
        identifiers
            .matches("<advisory_identifier></advisory_identifier>")
            .count(),
        1
    );
    let bomb = text(Damage::EntityBomb).await;
    assert!(bomb.contains("<!ENTITY a9") && bomb.contains("<note>&a9;</note>"));
    let stolen = text(Damage::ExternalEntity).await;
    assert!(stolen.contains("SYSTEM \"file:///etc/passwd\"") && stolen.contains("&stolen;"));
    let deep = text(Damage::TooDeep).await;
    assert_eq!(records(SimulatedProfile::JsonNames, deep.as_bytes()), 150);
    assert!(deep.contains(&"<a>".repeat(100_000)));
}

#[tokio::test]
async fn damage_strikes_even_where_no_advisory_would_be() {
    let simulator = simulator(|_| {}).await;
    simulator.set_clock(chrono::TimeDelta::days(100));
    simulator.inject(FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)));
    let answer = get(&simulator, "/api/xml-feed/?feed_type=all&days=1").await;
    assert!(answer.text().contains("<a><a><a>"));
}

#[tokio::test]
async fn a_gzip_bomb_is_small_on_the_wire_and_large_unpacked() {
    use async_compression::tokio::bufread::GzipDecoder;
    let simulator = simulator(|_| {}).await;
    let bomb = struck(&simulator, AnswerFault::GzipBomb { mebibytes: 64 }, ALL).await;
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(bomb.body.len() < 1024 * 1024, "{}", bomb.body.len());
    let mut unpacked = Vec::new();
    let mut decoder = GzipDecoder::new(bomb.body.as_slice());
    // It has no end that a decoder would accept: that is not the point of a bomb.
    let _ = decoder.read_to_end(&mut unpacked).await;
    assert!(unpacked.len() > 64 * 1024 * 1024, "{}", unpacked.len());
    let text = &unpacked[unpacked.len() - 1000..];
    assert!(text.iter().all(|byte| *byte == b'A'));
}
