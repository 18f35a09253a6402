use serde_json::{Value, json};

use super::{exchange, get, simulator};
use crate::simulate::Simulator;

async fn command(simulator: &Simulator, name: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST /_control/{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = exchange(simulator.addr(), request.as_bytes()).await;
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, value)
}

#[tokio::test]
async fn another_process_can_break_things_and_change_the_world() {
    let simulator = simulator(|options| options.control = true).await;
    let rule = json!({"fault": {"status": 503}, "path_contains": "/tickets/", "times": 2});
    assert_eq!(
        command(&simulator, "fault", &rule).await,
        (200, json!("done"))
    );
    assert_eq!(get(&simulator, "/api/asset-lists/").await.status, 200);
    assert_eq!(get(&simulator, "/api/tickets/").await.status, 503);
    assert_eq!(command(&simulator, "clear_faults", &json!({})).await.0, 200);
    assert_eq!(get(&simulator, "/api/tickets/").await.status, 200);
    assert_eq!(
        command(&simulator, "publish", &json!({"count": 2})).await.1,
        json!([150, 151])
    );
    let revise = json!({"said": "SA70000", "worse": true});
    assert_eq!(command(&simulator, "revise", &revise).await.1, json!(true));
    assert_eq!(
        command(&simulator, "remove_ticket", &json!({"id": 1}))
            .await
            .1,
        json!(true)
    );
    assert_eq!(
        command(&simulator, "remove_ticket", &json!({"id": 1}))
            .await
            .1,
        json!(false)
    );
    let (_, requests) = command(&simulator, "requests", &json!({})).await;
    assert_eq!(
        requests[1],
        json!({"method": "GET", "target": "/api/tickets/", "status": 503})
    );
}

#[tokio::test]
async fn another_process_can_change_the_watch_lists() {
    let simulator = simulator(|options| options.control = true).await;
    let lists = simulator.watch_lists().len();
    for (name, body) in [
        ("add_watch_list", json!({})),
        ("rename_watch_list", json!({"id": 1, "name": "Printers"})),
        ("enable_watch_list", json!({"id": 1, "enabled": false})),
        ("remove_watch_list", json!({"id": 2})),
    ] {
        assert_eq!(command(&simulator, name, &body).await.0, 200, "{name}");
    }
    let page = get(&simulator, "/api/asset-lists/").await.json();
    assert_eq!(page["count"], lists);
    let first = &page["results"][0];
    assert_eq!(first["name"], "Printers");
    assert_eq!(first["enabled"], false);
    assert_eq!(get(&simulator, "/api/asset-lists/2/").await.status, 404);
    // A number is never used twice.
    simulator.remove_watch_list(3);
    let new = i64::try_from(lists).unwrap() + 2;
    assert_eq!(simulator.add_watch_list(), Some(new));
}

#[tokio::test]
async fn another_process_can_wait_at_a_gate_and_open_it() {
    let simulator = simulator(|options| options.control = true).await;
    let rule = json!({"fault": {"hold": {"after_bytes": 10, "gate": "g"}}});
    command(&simulator, "fault", &rule).await;
    let (answer, ()) = tokio::join!(get(&simulator, "/api/tickets/"), async {
        command(&simulator, "reached", &json!({"gate": "g"})).await;
        command(&simulator, "open", &json!({"gate": "g"})).await;
    });
    assert_eq!(answer.json()["count"], 130);
}

#[tokio::test]
async fn commands_are_refused_when_wrong_and_unknown_when_not_asked_for() {
    let simulator = simulator(|options| options.control = true).await;
    assert_eq!(command(&simulator, "explode", &json!({})).await.0, 400);
    assert_eq!(
        command(&simulator, "publish", &json!({"cuont": 2})).await.0,
        400
    );
    let closed = super::simulator(|_| {}).await;
    assert_eq!(
        command(&closed, "publish", &json!({"count": 2})).await.0,
        404
    );
    assert_eq!(closed.all_saids().len(), 150);
}
