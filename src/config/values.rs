//! Parsers of single values: strings, numbers, durations, sizes, paths. Each error says
//! what is expected.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use url::{Host, Url};

use super::tree::{SettingNode, SettingValue};
use crate::config::advice::Advice;

/// A string, not empty.
pub(super) fn text(node: &SettingNode) -> Result<String, Advice> {
    match &node.value {
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text))
            if !text.trim().is_empty() =>
        {
            Ok(text.trim().to_owned())
        }
        _ => Err(Advice::text("expected a quoted string")),
    }
}

/// A string, possibly empty.
pub(super) fn any_text(node: &SettingNode) -> Result<String, Advice> {
    match &node.value {
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
            Ok(text.trim().to_owned())
        }
        _ => Err(Advice::text("expected a quoted string")),
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &SettingNode) -> Result<bool, Advice> {
    match &node.value {
        SettingValue::Plain(toml::Value::Boolean(value)) => Ok(*value),
        SettingValue::Raw(text) => text.trim().parse().map_err(|_| ()),
        _ => Err(()),
    }
    .map_err(|()| Advice::bare("expected `true` or `false`"))
}

/// A whole number within limits.
pub(super) fn number<N>(limits: RangeInclusive<N>) -> impl Fn(&SettingNode) -> Result<N, Advice>
where
    N: TryFrom<i64> + PartialOrd + Display,
{
    move |node| {
        let value = match &node.value {
            SettingValue::Plain(toml::Value::Integer(value)) => Some(*value),
            SettingValue::Raw(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        value
            .and_then(|value| N::try_from(value).ok())
            .filter(|value| limits.contains(value))
            .ok_or_else(|| {
                let (low, high) = (limits.start(), limits.end());
                Advice::bare(format!("expected a whole number from {low} to {high}"))
            })
    }
}

/// A duration as it is written in the configuration: `1d`, not `1day`.
fn short(duration: Duration) -> String {
    const DAY_SECONDS: u64 = 24 * 60 * 60;
    match (duration.as_secs(), duration.subsec_nanos()) {
        (seconds, 0) if seconds > 0 && seconds.is_multiple_of(DAY_SECONDS) => {
            format!("{}d", seconds / DAY_SECONDS)
        }
        _ => humantime::format_duration(duration).to_string(),
    }
}

/// A duration such as `6h`, within limits.
pub(super) fn duration(
    limits: RangeInclusive<Duration>,
) -> impl FnOnce(&SettingNode) -> Result<Duration, Advice> {
    move |node| {
        any_text(node)
            .ok()
            .and_then(|text| humantime::parse_duration(&text).ok())
            .filter(|value| limits.contains(value))
            .ok_or_else(|| {
                let (low, high) = (short(*limits.start()), short(*limits.end()));
                let usual = [("90s", 90), ("10m", 600), ("6h", 21_600), ("3d", 259_200)];
                let usual = usual
                    .into_iter()
                    .filter(|(_, seconds)| limits.contains(&Duration::from_secs(*seconds)))
                    .map(|(text, _)| format!("`{text}`"));
                let usual = usual.collect::<Vec<_>>().join(", ");
                let such = if usual.is_empty() {
                    usual
                } else {
                    format!(", such as {usual}")
                };
                Advice::choice(format!(
                    "expected a duration from `{low}` to `{high}`{such}"
                ))
            })
    }
}

/// A number of bytes such as `2GiB`, within limits.
pub(super) fn size(
    limits: RangeInclusive<u64>,
) -> impl FnOnce(&SettingNode) -> Result<u64, Advice> {
    move |node| {
        let bytes = match &node.value {
            SettingValue::Plain(toml::Value::Integer(value)) => u64::try_from(*value).ok(),
            SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
                text.trim().parse().ok().map(|size: ByteSize| size.as_u64())
            }
            _ => None,
        };
        bytes.filter(|bytes| limits.contains(bytes)).ok_or_else(|| {
            let (low, high) = (ByteSize(*limits.start()), ByteSize(*limits.end()));
            Advice::choice(format!(
                "expected a size from `{low}` to `{high}`, such as `512MiB` or `2GiB`"
            ))
        })
    }
}

/// An absolute path, so that it does not depend on the working directory.
pub(super) fn absolute_path(node: &SettingNode) -> Result<PathBuf, Advice> {
    text(node)
        .ok()
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .ok_or_else(|| "expected an absolute path (starting with `/`)".into())
}

/// An address and port to listen on, or `""` for none.
pub(super) fn listen(node: &SettingNode) -> Result<Option<SocketAddr>, Advice> {
    let advice = "expected an address and port such as `127.0.0.1:8787`, `localhost:8787` or `[::1]:8787`, or \"\" to disable";
    let text = any_text(node).map_err(|_| advice)?;
    if text.is_empty() {
        return Ok(None);
    }
    listen_address(&text).map(Some).ok_or_else(|| advice.into())
}

/// An address and port to listen on. `localhost` is 127.0.0.1: asking for its address could
/// give another one.
pub fn listen_address(text: &str) -> Option<SocketAddr> {
    const LOCALHOST: &str = "localhost:";
    let text = text.trim();
    let port = text
        .get(..LOCALHOST.len())
        .filter(|start| start.eq_ignore_ascii_case(LOCALHOST))
        .map(|_| &text[LOCALHOST.len()..]);
    match port {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// A list of strings.
pub(super) fn texts(node: &SettingNode) -> Result<Vec<String>, Advice> {
    let advice = || Advice::text("expected a list of strings such as `[\"one\", \"two\"]`");
    match node.expanded().map(|node| node.value) {
        Some(SettingValue::List(list)) => list
            .iter()
            .map(|node| text(node).map_err(|_| advice().of_item(node)))
            .collect(),
        _ => Err(advice()),
    }
}

/// Reads each text of a list. An error is at its entry.
pub(super) fn each_item<T>(
    node: &SettingNode,
    texts: &[String],
    read: impl Fn(&String) -> Result<T, Advice>,
) -> Result<Vec<T>, Advice> {
    let items = match node.expanded().map(|node| node.value) {
        Some(SettingValue::List(items)) => items,
        _ => Vec::new(),
    };
    let each = texts.iter().enumerate().map(|(at, text)| {
        read(text).map_err(|advice| match items.get(at) {
            Some(item) => advice.of_item(item),
            None => advice,
        })
    });
    each.collect()
}

/// A string, number or boolean value for a query string.
pub(super) fn query_value(node: &SettingNode) -> Result<String, Advice> {
    match &node.value {
        SettingValue::Raw(text) | SettingValue::Plain(toml::Value::String(text)) => {
            Ok(text.clone())
        }
        SettingValue::Plain(
            value @ (toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_)),
        ) => Ok(value.to_string()),
        _ => Err("expected a string, a number, `true` or `false`".into()),
    }
}

/// A URL of a server, without credentials, query and fragment.
pub(super) fn plain_url(node: &SettingNode, advice: &'static str) -> Result<Url, Advice> {
    let url: Url = text(node)?.parse().map_err(|_| advice)?;
    let plain = matches!(url.scheme(), "https" | "http")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url) } else { Err(advice.into()) }
}

/// Whether the host of the URL is this machine (loopback).
pub fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback_host(&host))
}

/// Same as [`is_loopback`], for a host only.
pub(super) fn is_loopback_host(host: &Host<impl AsRef<str>>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
