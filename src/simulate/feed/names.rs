//! Feed profiles with the names of the JSON keys, and of Django REST framework's XML renderer.

use serde_json::Value;

use crate::simulate::record::SimulatedAdvisory;

use super::xml::Xml;

/// One `<advisory>` whose children are named like the JSON keys. What is null has no element.
pub fn json_names(xml: &mut Xml, record: &SimulatedAdvisory) {
    write_named(xml, "advisory", &record.detail());
    xml.raw("\n");
}

/// One `<list-item>` as Django REST framework's renderer writes it: null is an
/// empty element, truth is `True`.
pub fn drf(xml: &mut Xml, record: &SimulatedAdvisory) {
    write_drf(xml, "list-item", &record.detail());
}

fn write_named(xml: &mut Xml, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            xml.open(name);
            for (name, value) in fields {
                write_named(xml, name, value);
            }
            xml.close(name);
        }
        Value::Array(values) if values.is_empty() => xml.element(name, ""),
        Value::Array(values) => {
            let one = singular(name);
            xml.open(name);
            for value in values {
                write_named(xml, &one, value);
            }
            xml.close(name);
        }
        Value::String(text) => xml.element(name, text),
        other => xml.element(name, &other.to_string()),
    }
}

/// `vulnerabilities` → `vulnerability`, `products` → `product`, `impact` → `item`.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies") {
        return format!("{stem}y");
    }
    name.strip_suffix('s').unwrap_or("item").to_owned()
}

fn write_drf(xml: &mut Xml, name: &str, value: &Value) {
    xml.open(name);
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                write_drf(xml, name, value);
            }
        }
        Value::Array(values) => {
            for value in values {
                write_drf(xml, "list-item", value);
            }
        }
        Value::String(text) => xml.content(text),
        Value::Bool(truth) => xml.raw(if *truth { "True" } else { "False" }),
        Value::Number(number) => xml.raw(&number.to_string()),
    }
    xml.close(name);
}
