use async_compression::tokio::write::{GzipDecoder, ZstdDecoder};
use tokio::io::AsyncWriteExt;

use chrono::TimeDelta;

use super::documents::records;
use super::{DEFAULT_TOKEN, get, send, simulator};
use crate::simulate::{Compression, Encoding, FeedCounts, SimulatedProfile};

const ALL: &str = "/api/xml-feed/?feed_type=all&days=400";

#[tokio::test]
async fn a_feed_contains_the_advisories_of_its_list_that_changed_in_its_days() {
    for profile in SimulatedProfile::ALL {
        let simulator = simulator(|options| options.profile = profile).await;
        for (list, days) in [(1, 400), (2, 400), (4, 400), (1, 30), (1, 1)] {
            let target =
                format!("/api/xml-feed/?feed_type=asset_list&asset_list_id={list}&days={days}");
            let answer = get(&simulator, &target).await;
            let expected = simulator.advisory_count(list, days);
            assert_eq!(
                records(profile, &answer.body),
                expected,
                "{} {target}",
                profile.name()
            );
        }
        assert!(simulator.advisory_count(1, 30) < simulator.advisory_count(1, 400));
        let all = get(&simulator, ALL).await;
        assert_eq!(records(profile, &all.body), 150, "{}", profile.name());
        assert!(all.end.unwrap());
    }
}

#[tokio::test]
async fn what_the_feed_cannot_mean_is_refused() {
    let simulator = simulator(|_| {}).await;
    for (query, status) in [
        ("feed_type=asset_list&asset_list_id=99&days=1", 404),
        ("feed_type=asset_list&days=1", 404),
        ("feed_type=everything", 400),
        ("", 400),
        ("feed_type=all&days=0", 400),
        ("feed_type=all&days=soon", 400),
    ] {
        let answer = get(&simulator, &format!("/api/xml-feed/?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn days_count_what_the_options_say_by_the_simulators_clock() {
    for (counts, expected) in [(FeedCounts::Modified, 1), (FeedCounts::Released, 0)] {
        let simulator = simulator(|options| options.feed.counts = counts).await;
        simulator.set_clock(TimeDelta::days(10));
        let said = &simulator.saids(1)[0];
        assert_eq!(simulator.advisory_count(1, 1), 0);
        assert!(simulator.revise(said, false));
        assert_eq!(simulator.advisory_count(1, 1), expected);
        let answer = get(
            &simulator,
            "/api/xml-feed/?feed_type=asset_list&asset_list_id=1",
        )
        .await;
        assert_eq!(answer.text().contains(said), expected == 1);
        let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
        assert_eq!(
            chrono::DateTime::<chrono::Utc>::from(date).timestamp() / 60,
            simulator.now().timestamp() / 60
        );
    }
}

#[tokio::test]
async fn every_encoding_says_the_same() {
    let mut texts = Vec::new();
    for encoding in [
        Encoding::Utf8,
        Encoding::Utf8Bom,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::Iso8859_1,
        Encoding::Windows1252,
    ] {
        let simulator = simulator(|options| {
            options.starts_at = Some(chrono::DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
            options.advisories = 200;
            options.feed.encoding = Some(encoding);
        })
        .await;
        let answer = get(&simulator, ALL).await;
        let header_charset = answer
            .header("content-type")
            .unwrap()
            .split("charset=")
            .nth(1)
            .unwrap();
        let said = encoding_rs::Encoding::for_label(header_charset.as_bytes()).unwrap();
        let (text, _, broken) = said.decode(&answer.body);
        assert!(!broken);
        let body = text.split_once("?>\n").unwrap().1;
        texts.push(resolved(body));
    }
    assert!(texts[0].contains('å') && texts[0].contains('東'));
    assert!(texts.iter().all(|text| *text == texts[0]));
}

/// With `&#…;` replaced by what they stand for.
fn resolved(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut resolved = parts.next().unwrap().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        resolved.push(char::from_u32(number.parse().unwrap()).unwrap());
        resolved.push_str(rest);
    }
    resolved
}

#[tokio::test]
async fn a_feed_is_compressed_only_for_clients_that_accept_it() {
    for (compression, name) in [(Compression::GZIP, "gzip"), (Compression::ZSTD, "zstd")] {
        let simulator = simulator(|options| options.feed.compression = Some(compression)).await;
        let plain = get(&simulator, ALL).await;
        assert_eq!(plain.header("content-encoding"), None);
        let headers = format!(
            "Authorization: Token {DEFAULT_TOKEN}\r\nAccept-Encoding: br, {name};q=0.9\r\n"
        );
        let packed = send(simulator.addr(), "GET", ALL, &headers).await;
        assert_eq!(packed.header("content-encoding"), Some(name));
        assert!(packed.body.len() * 3 < plain.body.len());
        assert_eq!(unpacked(name, &packed.body).await, plain.body);
    }
}

async fn unpacked(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name == "gzip" {
        let mut decoder = GzipDecoder::new(Vec::new());
        decoder.write_all(bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
        decoder.into_inner()
    } else {
        let mut decoder = ZstdDecoder::new(Vec::new());
        decoder.write_all(bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
        decoder.into_inner()
    }
}

#[tokio::test]
async fn lists_that_disagree_have_different_titles_and_one_date() {
    let simulator = simulator(|options| options.feed.lists_disagree = true).await;
    let said = simulator.saids(1)[0].clone();
    simulator.join(&said, 2);
    let of = async |list: i64| {
        let target = format!("/api/xml-feed/?feed_type=asset_list&asset_list_id={list}&days=400");
        get(&simulator, &target).await.text()
    };
    let (first, second) = (of(1).await, of(2).await);
    assert!(first.contains("(list 1)</title>") && second.contains("(list 2)</title>"));
    assert!(first.contains(&said) && second.contains(&said));
}
