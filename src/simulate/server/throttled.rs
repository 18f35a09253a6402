//! The response 429 in its three forms.

use axum::http::header;
use chrono::TimeDelta;

use super::reply::Reply;
use super::shared::SharedState;
use crate::simulate::options::ThrottleForm;

/// 429 in the form asked for.
pub fn throttled(shared: &SharedState, form: ThrottleForm, seconds: u32) -> Reply {
    let sentence = format!("Request was throttled. Expected available in {seconds} seconds.");
    match form {
        ThrottleForm::Seconds => {
            Reply::detail(429, &sentence).with(header::RETRY_AFTER, seconds.to_string())
        }
        ThrottleForm::Date => {
            let until = shared.clock.now() + TimeDelta::seconds(i64::from(seconds));
            Reply::detail(429, "Request was throttled.")
                .with(header::RETRY_AFTER, httpdate::fmt_http_date(until.into()))
        }
        ThrottleForm::Detail => Reply::detail(429, &sentence),
    }
}
