use serde_json::Value;

use super::error::Unreadable;
use super::map;
use super::name::key;
use super::rules::Rules;
use super::tree::Node;
use crate::model::Advisory;

/// Reads one advisory of the JSON API (contract §7): numbers or strings, keys
/// left out, nulls and unknown keys are all the same to it. Its names are the
/// first of every field's aliases, so the feed's table serves it too.
pub fn read_json(rules: &Rules, value: &Value) -> Result<Advisory, Unreadable> {
    let identifier = || value["advisory_identifier"].as_str().map(str::to_owned);
    node("advisory", value, rules.limits.depth)
        .and_then(|tree| map::advisory(rules, &tree))
        .map_err(|reason| Unreadable {
            key: identifier(),
            reason,
        })
}

/// A value as the element that upstream's XML renderer would make of it.
pub(super) fn node(name: &str, value: &Value, depth: usize) -> Result<Node<'static>, String> {
    if depth == 0 {
        return Err("values are nested too deep".to_owned());
    }
    let mut node = Node {
        key: key(name.as_bytes()),
        ..Node::default()
    };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                node.children.push(self::node(name, value, depth - 1)?);
            }
        }
        Value::Array(items) => {
            for item in items {
                node.children
                    .push(self::node("list-item", item, depth - 1)?);
            }
        }
        Value::String(text) => {
            // NUL is the one letter that PostgreSQL cannot keep.
            let text = text.trim().replace("\r\n", "\n").replace(['\r'], "\n");
            node.text = text.replace('\0', "\u{fffd}").into();
        }
        other => node.text = other.to_string().into(),
    }
    Ok(node)
}
