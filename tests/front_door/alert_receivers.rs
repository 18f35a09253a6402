//! Receivers that answer slowly, wrongly, or never.

use std::time::{Duration, Instant};

use advisoryd::clock::Clock;
use chrono::TimeDelta;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::settings::{NEVER, Rule};
use crate::support::{PATIENCE, Receiver, Running, World, eventually};

/// A world whose one rule tells these sinks, and whose daemon does nothing else.
async fn telling(sinks: &'static [&'static str]) -> World {
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule {
        sinks,
        ..Rule::to_hook("soc", &["appeared"])
    }];
    world.settings.schedule.feeds = Some(NEVER);
    world.settings.tickets.enabled = Some(false);
    world
}

/// A world whose first load is its baseline and whose one sink is at `url`.
async fn notified(url: &str) -> World {
    told_within(url, "20s").await
}

/// The same whose sink is given up sooner or later.
async fn told_within(url: &str, timeout: &'static str) -> World {
    let mut world = telling(&["hook"]).await;
    world.add_sink("hook", url, timeout);
    world.pull_one().await;
    world.alert().await;
    world
}

async fn publish(world: &World, count: u32) {
    world.simulator.publish(count);
    world.pull_one().await;
}

/// State, failures and last status of every delivery, the oldest first.
async fn deliveries(world: &World) -> Vec<(String, i32, Option<i32>)> {
    sqlx::query_as("select state, failures, last_status from advisoryd_v1.deliveries order by id")
        .fetch_all(world.pool())
        .await
        .unwrap()
}

/// A receiver that reads a request, says this, and closes the connection, or
/// holds it open for ever.
async fn raw(answer: Vec<u8>, closes: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let _ = client.read(&mut request).await;
            let _ = client.write_all(&answer).await;
            if !closes {
                held.push(client);
            }
        }
    });
    url
}

#[tokio::test]
async fn a_refusal_of_the_message_is_final_and_a_refusal_of_the_moment_is_not() {
    let receiver = Receiver::start().await;
    let world = notified(&receiver.url).await;
    for status in [400, 401, 404, 410, 422, 301, 408, 425, 429, 500, 503] {
        receiver.answer(status, None);
        publish(&world, 1).await;
        world.alert().await;
        let (state, failures, last) = deliveries(&world).await.pop().unwrap();
        let is_final = !matches!(status, 408 | 425 | 429 | 500 | 503);
        let expected = if is_final { "dead_letter" } else { "waiting" };
        assert_eq!(
            (state.as_str(), failures, last),
            (expected, 1, Some(status.into()))
        );
    }
}

#[tokio::test]
async fn patience_that_is_asked_for_as_a_date_is_given() {
    let receiver = Receiver::start().await;
    let world = notified(&receiver.url).await;
    let date = (Clock::system().now() + TimeDelta::hours(1)).format("%a, %d %b %Y %H:%M:%S GMT");
    receiver.answer(503, Some(date.to_string().leak()));
    publish(&world, 1).await;
    world.alert().await;
    world.later(TimeDelta::minutes(58));
    world.alert().await;
    assert_eq!(receiver.received().len(), 1);
    world.later(TimeDelta::minutes(3));
    world.alert().await;
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(deliveries(&world).await[0].0, "delivered");
}

#[tokio::test]
async fn who_asks_for_patience_is_not_sent_the_other_messages_either() {
    let receiver = Receiver::start().await;
    let world = notified(&receiver.url).await;
    for _ in 0..8 {
        receiver.answer(429, Some("60"));
    }
    publish(&world, 30).await;
    world.alert().await;
    assert_eq!(receiver.received().len(), 8, "those that were under way");
    world.later(TimeDelta::seconds(61));
    world.alert().await;
    assert_eq!(
        receiver.received().len(),
        38,
        "every message was taken in the end"
    );
}

#[tokio::test]
async fn a_receiver_that_is_down_is_not_stormed_and_hears_of_all_when_it_is_back() {
    let receiver = Receiver::start().await;
    let world = notified(&receiver.url).await;
    receiver.usually(500);
    publish(&world, 60).await;
    let mut daemon = Running::start(&mut world.command(&["run"]));
    receiver.wait_for(9).await;
    let tried = deliveries(&world)
        .await
        .iter()
        .filter(|it| it.1 > 0)
        .count();
    assert!(
        tried <= 10,
        "{tried} messages were tried on a receiver that is down"
    );
    receiver.usually(200);
    eventually(
        "all but those that wait for their next time",
        PATIENCE,
        async || {
            let rest = deliveries(&world).await;
            rest.iter()
                .all(|it| it.0 == "delivered" || it.1 > 0)
                .then_some(())
        },
    )
    .await;
    daemon.kill9();
}

#[tokio::test]
async fn answers_that_are_none_postpone_the_message() {
    let close = raw(Vec::new(), true).await;
    let never = raw(Vec::new(), false).await;
    let garbage = raw(b"SMTP ready\r\n".to_vec(), true).await;
    let half = raw(b"HTTP/1.1 20".to_vec(), false).await;
    for url in [close, never, garbage, half] {
        let world = told_within(&url, "1s").await;
        publish(&world, 1).await;
        world.alert().await;
        let (state, failures, status) = deliveries(&world).await.pop().unwrap();
        assert_eq!((state.as_str(), failures, status), ("waiting", 1, None));
    }
}

#[tokio::test]
async fn of_an_endless_answer_only_the_beginning_is_read() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 4_000_000, b'x');
    let url = raw(answer, false).await;
    let world = notified(&url).await;
    publish(&world, 1).await;
    world.alert().await;
    assert_eq!(
        deliveries(&world).await[0].0,
        "delivered",
        "its status says so"
    );
    let kept = world
        .count("select length(answer)::bigint from advisoryd_v1.delivery_attempts")
        .await;
    assert_eq!(kept, 512);
}

#[tokio::test]
async fn after_the_last_pause_a_message_is_a_dead_letter_and_rests() {
    let receiver = Receiver::start().await;
    let world = notified(&receiver.url).await;
    receiver.usually(500);
    publish(&world, 1).await;
    for minutes in [0, 1, 7, 40, 150, 400, 800, 800, 3000] {
        world.later(TimeDelta::minutes(minutes));
        world.alert().await;
    }
    assert_eq!(
        deliveries(&world).await,
        [("dead_letter".to_owned(), 8, Some(500))]
    );
    let messages = receiver.received();
    assert_eq!(messages.len(), 8);
    let id = messages[0].header("webhook-id");
    assert!(messages.iter().all(|one| one.header("webhook-id") == id));
    let state: String = sqlx::query_scalar("select state from advisoryd_v1.alerts")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(state, "dead_letter");
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_no_other() {
    let never = raw(Vec::new(), false).await;
    let receiver = Receiver::start().await;
    let mut world = telling(&["never", "hook"]).await;
    world.add_sink("never", &never, "30s");
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    let mut daemon = world.run().await;
    // Two rounds: in the second one all places of the dead sink are taken.
    for count in [10, 20] {
        let begun = Instant::now();
        publish(&world, 10).await;
        receiver.wait_for(count).await;
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }
    daemon.kill9();
}

/// What was accepted of a message that is sent in pieces is not sent again.
#[tokio::test]
async fn a_message_that_is_too_large_is_sent_in_halves_and_nothing_twice() {
    let receiver = Receiver::start().await;
    let mut world = notified(&receiver.url).await;
    world.settings.alerts.rules[0].group = Some("5m");
    publish(&world, 5).await;
    receiver.answer(413, None);
    receiver.answer(200, None);
    receiver.answer(503, None);
    world.alert().await;
    let sizes = |receiver: &Receiver| -> Vec<usize> {
        let requests = receiver.received();
        requests.iter().map(|one| one.facts().len()).collect()
    };
    assert_eq!(sizes(&receiver), [5, 3, 2]);
    assert_eq!(
        deliveries(&world).await,
        [("waiting".to_owned(), 1, Some(503))]
    );
    world.later(TimeDelta::hours(1));
    world.alert().await;
    assert_eq!(sizes(&receiver), [5, 3, 2, 2]);
    assert_eq!(
        deliveries(&world).await,
        [("delivered".to_owned(), 1, Some(200))]
    );
    let requests = receiver.received();
    assert_eq!(requests[2].bytes, requests[3].bytes);
    let id = |number: usize| requests[number].header("webhook-id").to_owned();
    assert_eq!(id(2), id(3));
    assert!(id(0) != id(1) && id(1) != id(2));
    let mut notified: Vec<_> = [1, 3]
        .iter()
        .flat_map(|one: &usize| requests[*one].facts())
        .collect();
    notified.sort();
    let mut wanted = requests[0].facts();
    wanted.sort();
    assert_eq!(notified, wanted);
}

/// Whom a receiver finds too large alone is told in fewer words, and otherwise passed over.
#[tokio::test]
async fn an_alert_that_is_too_large_keeps_none_behind_it_waiting() {
    let receiver = Receiver::start().await;
    let mut world = notified(&receiver.url).await;
    world.settings.alerts.rules[0].group = Some("5m");
    publish(&world, 3).await;
    for status in [413, 413, 413, 200, 413, 413, 413, 200] {
        receiver.answer(status, None);
    }
    // All, two of them, the first, the first abridged; then the others, the second, abridged,
    // the third.
    world.alert().await;
    let sizes: Vec<usize> = receiver
        .received()
        .iter()
        .map(|one| one.facts().len())
        .collect();
    assert_eq!(sizes, [3, 2, 1, 1, 2, 1, 1, 1]);
    let keys: Vec<String> = receiver
        .received()
        .iter()
        .map(|one| one.facts()[0].1.clone())
        .collect();
    assert_eq!(keys[2], keys[3]);
    assert_eq!(keys[5], keys[6]);
    assert_ne!(keys[6], keys[7], "the third was sent");
    let found = deliveries(&world).await;
    assert_eq!(found[0].0, "dead_letter", "{found:?}");
    let error = "select last_error from advisoryd_v1.deliveries";
    let error = world.texts(error).await.remove(0);
    assert!(error.contains("alert 2 of 3 ("), "{error}");
}

/// What was passed over is not recorded as accepted by a failure behind it.
#[tokio::test]
async fn an_alert_that_is_too_large_is_not_lost_by_a_failure_behind_it() {
    let receiver = Receiver::start().await;
    let mut world = notified(&receiver.url).await;
    world.settings.alerts.rules[0].group = Some("5m");
    publish(&world, 3).await;
    // All, two of them, the first; then the second, abridged, the third.
    for status in [413, 413, 200, 413, 413, 503] {
        receiver.answer(status, None);
    }
    world.alert().await;
    let first = receiver.received();
    assert_eq!(first.len(), 6);
    let second = first[3].facts()[0].1.clone();
    world.later(TimeDelta::minutes(30));
    world.alert().await;
    let again = receiver.received().split_off(first.len());
    let keys = again.iter().flat_map(super::support::Received::facts);
    let keys: Vec<String> = keys.map(|fact| fact.1).collect();
    assert!(keys.contains(&second), "{keys:?}");
    assert_eq!(deliveries(&world).await[0].0, "delivered");
}
