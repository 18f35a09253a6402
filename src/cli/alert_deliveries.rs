//! The deliveries in the document of an alert.

use serde_json::Value;

use crate::model::DeliveryState;

/// Whether the alert has a delivery in this state; `only` names the sink.
pub(super) fn has_delivery(document: &Value, state: DeliveryState, only: Option<&str>) -> bool {
    let deliveries = document["deliveries"].as_array();
    deliveries.into_iter().flatten().any(|delivery| {
        let is_asked = only.is_none_or(|only| delivery["sink"] == only);
        is_asked && state_of(delivery) == Some(state)
    })
}

/// `None` for a state that a newer version wrote.
fn state_of(delivery: &Value) -> Option<DeliveryState> {
    DeliveryState::from_name(delivery["state"].as_str()?)
}
