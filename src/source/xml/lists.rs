use super::codes;
use super::name::keys;
use super::rules::Rules;
use super::tree::{Found, Node};
use super::values::{boolean, cpes, is_cve};
use crate::config::AliasField;
use crate::model::{Product, Reference};

const NAMES: &[u64] = keys!["name", "product_name", "title"];
const URLS: &[u64] = keys!["url", "href", "uri", "link"];
const TEXTS: &[u64] = keys!["description", "title", "name", "text"];

/// The elements of a list: `node` itself when it is one, else its children, so
/// that `<products><product>…` and repeated `<product>` are the same.
fn items<'n>(node: &'n Node<'n>, is_item: fn(&Node<'_>) -> bool) -> Vec<&'n Node<'n>> {
    if node.children.is_empty() || is_item(node) {
        return vec![node];
    }
    node.children.iter().collect()
}

/// Affected products, from the first name that leads to any.
pub(super) fn products(rules: &Rules, record: &Node<'_>) -> Vec<Product> {
    let is_product = |node: &Node<'_>| {
        node.value(NAMES).is_some()
            || node.value(keys!["product_id"]).is_some()
            || !node.text.is_empty()
    };
    for path in rules.aliases.of(AliasField::Products) {
        let mut products = Vec::new();
        for found in path.all(record) {
            match found {
                Found::Attribute(text) => products.extend(plain_product(text)),
                Found::Element(node) => {
                    products.extend(items(node, is_product).into_iter().filter_map(product));
                }
            }
        }
        if !products.is_empty() {
            return products;
        }
    }
    Vec::new()
}

fn plain_product(text: &str) -> Option<Product> {
    (!text.is_empty()).then(|| Product {
        name: text.to_owned(),
        ..Product::default()
    })
}

fn product(node: &Node<'_>) -> Option<Product> {
    let product_id = node.value(keys!["id", "product_id"]).map(str::to_owned);
    let text = Some(&*node.text).filter(|text| !text.is_empty());
    let name = node.value(NAMES).or(text).or(product_id.as_deref())?;
    let mut names = Vec::new();
    cpes(node, 3, &mut names);
    Some(Product {
        name: name.to_owned(),
        is_os: node.value(keys!["is_os", "os"]).and_then(boolean),
        cpes: names,
        product_id,
    })
}

/// Further reading, from the first name that leads to any.
pub(super) fn references(rules: &Rules, record: &Node<'_>) -> Vec<Reference> {
    let is_reference = |node: &Node<'_>| node.value(URLS).is_some() || node.value(TEXTS).is_some();
    for path in rules.aliases.of(AliasField::References) {
        let mut references = Vec::new();
        for found in path.all(record) {
            match found {
                Found::Attribute(text) => references.extend(plain_reference(text)),
                Found::Element(node) => {
                    let items = items(node, is_reference).into_iter();
                    references.extend(items.filter_map(reference));
                }
            }
        }
        if !references.is_empty() {
            return numbered(references);
        }
    }
    Vec::new()
}

fn plain_reference(text: &str) -> Option<(Option<i32>, Reference)> {
    let is_url = text.contains("://");
    let reference = Reference {
        ordinal: 0,
        url: is_url.then(|| text.to_owned()),
        description: (!is_url).then(|| text.to_owned()),
    };
    (!text.is_empty()).then_some((None, reference))
}

/// One reference and the position that upstream gives it.
pub(super) fn reference(node: &Node<'_>) -> Option<(Option<i32>, Reference)> {
    let ordinal = node.value(keys!["ordinal", "number", "order"]);
    let ordinal = ordinal.and_then(|text| text.parse().ok());
    let url = node.value(URLS).map(str::to_owned);
    if url.is_none() && node.value(TEXTS).is_none() {
        return plain_reference(&node.text).map(|(_, reference)| (ordinal, reference));
    }
    let text = Some(&*node.text).filter(|text| !text.is_empty());
    let description = node.value(TEXTS).or(text).map(str::to_owned);
    let reference = Reference {
        ordinal: 0,
        url,
        description,
    };
    Some((ordinal, reference))
}

/// Numbers the references that upstream did not. They are sorted for that:
/// another order upstream is no other advisory.
pub(super) fn numbered(references: Vec<(Option<i32>, Reference)>) -> Vec<Reference> {
    let mut last = references.iter().filter_map(|(ordinal, _)| *ordinal).max();
    let mut all = Vec::with_capacity(references.len());
    let mut rest = Vec::new();
    for (ordinal, mut reference) in references {
        match ordinal {
            Some(ordinal) => {
                reference.ordinal = ordinal;
                all.push(reference);
            }
            None => rest.push(reference),
        }
    }
    rest.sort();
    for mut reference in rest {
        let ordinal = last.unwrap_or(0).saturating_add(1);
        reference.ordinal = ordinal;
        last = Some(ordinal);
        all.push(reference);
    }
    all
}

/// What an attacker gains: the names of contract §7, others as they came.
pub(super) fn impacts(rules: &Rules, record: &Node<'_>) -> Vec<String> {
    let is_impact =
        |node: &Node<'_>| node.value(keys!["name", "id"]).is_some() || !node.text.is_empty();
    for path in rules.aliases.of(AliasField::Impacts) {
        let mut impacts = Vec::new();
        for found in path.all(record) {
            match found {
                Found::Attribute(text) => split_impacts(text, &mut impacts),
                Found::Element(node) => {
                    for item in items(node, is_impact) {
                        impact(item, &mut impacts);
                    }
                }
            }
        }
        if !impacts.is_empty() {
            return impacts;
        }
    }
    Vec::new()
}

fn impact(node: &Node<'_>, into: &mut Vec<String>) {
    let id = node.value(keys!["id", "code"]);
    let name = node.value(keys!["name", "description"]);
    match id.and_then(codes::impact).or(name).or(id) {
        Some(name) => into.push(codes::impact(name).unwrap_or(name).to_owned()),
        None => split_impacts(&node.text, into),
    }
}

fn split_impacts(text: &str, into: &mut Vec<String>) {
    for name in text.split([',', ';', '\n']).map(str::trim) {
        if !name.is_empty() {
            into.push(codes::impact(name).unwrap_or(name).to_owned());
        }
    }
}

/// CVE names in upper case, and the first text that should be one and is none.
pub(super) fn cves(rules: &Rules, record: &Node<'_>) -> (Vec<String>, Option<String>) {
    let mut texts = Vec::new();
    for found in rules.aliases.all(record, AliasField::Cves) {
        match found {
            Found::Attribute(text) => texts.push(text),
            Found::Element(node) => cve_texts(node, 4, &mut texts),
        }
    }
    let mut cves = Vec::new();
    let mut odd = None;
    for text in texts {
        for name in text.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';'))
        {
            if is_cve(name) {
                cves.push(name.to_ascii_uppercase());
            } else if name.len() > 3 && name[..].to_ascii_uppercase().starts_with("CVE") {
                odd.get_or_insert_with(|| name.to_owned());
            }
        }
    }
    (cves, odd)
}

/// Texts at the places where a list of CVEs or of vulnerabilities has names, not prose.
fn cve_texts<'n>(node: &'n Node<'n>, levels: usize, into: &mut Vec<&'n str>) {
    const PLACES: &[u64] = keys![
        "cve",
        "cves",
        "id",
        "name",
        "cve_id",
        "number",
        "list-item",
        "item",
        "vulnerability",
    ];
    let is_place = |name: u64| PLACES.contains(&name);
    let attributes = node.attributes.iter().filter(|(name, _)| is_place(*name));
    into.extend(attributes.map(|(_, value)| value.as_str()));
    into.push(&node.text);
    if levels > 0 {
        for child in node.children.iter().filter(|child| is_place(child.key)) {
            cve_texts(child, levels - 1, into);
        }
    }
}
