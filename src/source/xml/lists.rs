//! Lists of a record: products, references, impacts. A list may be a wrapper
//! around its items, perhaps with a title of its own, a repeated element, or lines
//! of text.

use std::borrow::Cow;

use super::codes;
use super::name::keys;
use super::rules::ParserRules;
use super::tree::{NamedValue, XmlNode};
use super::values::{boolean, cpes, is_cpe, shortened, whole_number};
use crate::config::AliasField;
use crate::model::{Product, Reference, beginning};

/// The names of all products of an advisory together, in characters: what the
/// full-text index of product names takes. Real lists are a few thousand.
const MOST_PRODUCT_CHARS: usize = 200_000;
/// The longest name of a product or an impact that is kept, in characters.
const LONGEST_NAME_CHARS: usize = 1000;
/// How many groups of items lie within each other.
const LEVELS: usize = 8;

const NAMES: &[u64] = keys!["name", "product_name", "title"];
pub(super) const URLS: &[u64] = keys!["url", "href", "uri", "link"];
const TEXTS: &[u64] = keys!["description", "title", "name", "text"];

/// How the elements of one kind of list are named.
struct Kind {
    /// Names of items.
    items: &'static [u64],
    /// Names of groups of items.
    groups: &'static [u64],
    /// Names of what an item consists of.
    parts: &'static [u64],
}

const PRODUCTS: Kind = Kind {
    items: keys![
        "product",
        "item",
        "list-item",
        "entry",
        "software",
        "package",
        "affected_product"
    ],
    groups: keys!["products", "vendor", "family", "group", "affected_products"],
    parts: keys![
        "name",
        "product_name",
        "title",
        "id",
        "product_id",
        "version",
        "is_os",
        "os"
    ],
};
const REFERENCES: Kind = Kind {
    items: keys!["reference", "ref", "item", "list-item", "entry"],
    groups: keys!["references", "links", "group"],
    parts: keys![
        "url",
        "href",
        "uri",
        "link",
        "description",
        "title",
        "name",
        "text"
    ],
};
const IMPACTS: Kind = Kind {
    items: keys!["impact", "item", "list-item", "entry"],
    groups: keys!["impacts", "group"],
    parts: keys!["id", "code", "name", "description"],
};

impl Kind {
    fn is_item(&self, node: &XmlNode<'_>) -> bool {
        let has_items = || node.children.iter().any(|child| self.is_item(child));
        self.items.contains(&node.key) || self.groups.contains(&node.key) && has_items()
    }

    /// The items of a list: those inside where there are any; `node` itself where it
    /// consists of the parts of one; else its children, whatever they are called.
    fn items<'n>(&self, node: &'n XmlNode<'n>, levels: usize, into: &mut Vec<&'n XmlNode<'n>>) {
        let children = &node.children;
        if levels > 0 && children.iter().any(|child| self.is_item(child)) {
            for child in children.iter().filter(|child| self.is_item(child)) {
                self.items(child, levels - 1, into);
            }
            return;
        }
        let mut names = children.iter().map(|child| child.key);
        let first = names.next();
        let is_repeated = children.len() > 1 && names.all(|name| Some(name) == first);
        let is_part = |name: u64| self.parts.contains(&name);
        let mut attributes = node.attributes.iter();
        let has_attributes = attributes.any(|attribute| is_part(attribute.key));
        let has_parts = has_attributes || children.iter().any(|child| is_part(child.key));
        // `<product name="…"><cpe>…</cpe><cpe>…</cpe></product>` is one product.
        let is_item = has_attributes && self.items.contains(&node.key)
            || children.iter().all(|child| is_cpe(&child.text));
        let is_repeated = is_repeated && !is_item;
        if children.is_empty() || has_parts && !is_repeated {
            into.push(node);
        } else {
            into.extend(children);
        }
    }

    /// Reads the items of an element: lines of text, or elements.
    fn each<'n, T>(
        &self,
        whole: &'n XmlNode<'n>,
        all: &mut Vec<T>,
        plain: &impl Fn(&str, &mut Vec<T>),
        item: &impl Fn(&'n XmlNode<'n>, &mut Vec<T>),
    ) {
        let mut nodes = Vec::new();
        self.items(whole, LEVELS, &mut nodes);
        for node in nodes {
            let is_item = self.items.contains(&node.key);
            let mut attributes = node.attributes.iter();
            let has_parts = attributes.any(|one| self.parts.contains(&one.key));
            let is_alone = std::ptr::eq(node, whole) && node.attributes.is_empty();
            let is_plain = is_alone || !has_parts && node.has_breaks();
            let has_structure = !node.children.is_empty() || node.has_links();
            if let Some(equals) = node.equals().filter(|_| !is_item && !has_structure) {
                for one in equals {
                    plain(&one.joined(), all);
                }
                node.read();
            } else if is_plain && !has_structure {
                plain(node.read(), all);
            } else {
                item(node, all);
            }
        }
    }

    /// The items that a field's names lead to, from the first that leads to any. The
    /// same items under another name say nothing new; others are left over.
    fn read<'n, T: PartialEq>(
        &self,
        (rules, record, field): (&ParserRules, &'n XmlNode<'n>, AliasField),
        plain: impl Fn(&str, &mut Vec<T>),
        item: impl Fn(&'n XmlNode<'n>, &mut Vec<T>),
    ) -> Vec<T> {
        let mut groups = rules.aliases.groups(record, field).into_iter();
        for group in groups.by_ref() {
            let mut all = Vec::new();
            for found in group {
                match found {
                    NamedValue::Attribute(attribute) => plain(attribute.read(), &mut all),
                    NamedValue::Element(whole) => self.each(whole, &mut all, &plain, &item),
                }
            }
            if !all.is_empty() {
                for found in groups.flatten() {
                    let mut same = Vec::new();
                    plain(found.text(), &mut same);
                    if same.iter().all(|one| all.contains(one)) {
                        found.read();
                    }
                }
                return all;
            }
        }
        Vec::new()
    }
}

/// Affected products, and how many more there are than are kept.
pub(super) fn products(rules: &ParserRules, record: &XmlNode<'_>) -> (Vec<Product>, usize) {
    let plain = |text: &str, all: &mut Vec<Product>| all.extend(lines(text).map(plain_product));
    let item = |node: &XmlNode<'_>, all: &mut Vec<Product>| all.extend(product(node));
    let all = PRODUCTS.read((rules, record, AliasField::Products), plain, item);
    bounded(all)
}

/// As many products as can be kept.
pub(super) fn bounded(mut products: Vec<Product>) -> (Vec<Product>, usize) {
    let mut chars = 0;
    let fits = products.iter().take_while(|product| {
        chars += product.name.chars().count() + 1;
        chars <= MOST_PRODUCT_CHARS
    });
    let fits = fits.count();
    let more = products.len() - fits;
    products.truncate(fits);
    (products, more)
}

fn plain_product(text: &str) -> Product {
    Product {
        name: name(text),
        ..Product::default()
    }
}

fn product(node: &XmlNode<'_>) -> Option<Product> {
    let named = node.value(NAMES);
    let own = || Some(node.text.as_ref()).filter(|text| !text.is_empty());
    // An id alone is no name: it stays left over.
    let called = named.as_deref().or_else(own)?;
    let product_id = node
        .value(keys!["id", "product_id"])
        .map(|id| shortened(&id));
    if named.is_none() {
        node.read();
    }
    let called = match node.value(keys!["version", "product_version"]) {
        Some(version) if !called.ends_with(&*version) => format!("{called} {version}"),
        _ => called.to_owned(),
    };
    let mut platforms = Vec::new();
    cpes(node, 3, &mut platforms);
    Some(Product {
        name: name(&called),
        is_os: parsed(node, keys!["is_os", "os"], boolean),
        cpes: platforms,
        product_id,
    })
}

/// Further reading, from the first name that leads to any.
pub(super) fn references(rules: &ParserRules, record: &XmlNode<'_>) -> Vec<Reference> {
    let plain = |text: &str, all: &mut Vec<_>| plain_references(text, None, all);
    let item = |node: &XmlNode<'_>, all: &mut Vec<_>| reference(node, all);
    numbered(REFERENCES.read((rules, record, AliasField::References), plain, item))
}

/// A reference and the position that upstream gives it.
pub(super) type Placed = (Option<i32>, Reference);

/// Addresses may stand several to a line; what is none is a description.
fn plain_references(text: &str, ordinal: Option<i32>, all: &mut Vec<Placed>) {
    let is_url = |text: &str| text.contains("://");
    for line in lines(text) {
        let are_urls = line.split_whitespace().all(is_url);
        let parts: Vec<&str> = if are_urls {
            line.split_whitespace().collect()
        } else {
            vec![line]
        };
        for part in parts {
            let is_url = is_url(part);
            let reference = Reference {
                ordinal: 0,
                url: is_url.then(|| part.to_owned()),
                description: (!is_url).then(|| part.to_owned()),
            };
            all.push((ordinal, reference));
        }
    }
}

/// Reads one reference.
pub(super) fn reference(node: &XmlNode<'_>, all: &mut Vec<Placed>) {
    let ordinal = parsed(node, keys!["ordinal", "number", "order"], whole_number);
    if node.has_links() {
        linked(node, ordinal, all);
        return;
    }
    let url = node.value(URLS).map(Cow::into_owned);
    let named = node.value(TEXTS);
    if url.is_none() && named.is_none() {
        plain_references(node.read(), ordinal, all);
        return;
    }
    let own = || Some(node.read()).filter(|text| !text.is_empty());
    let description = named.as_deref().or_else(own).map(str::to_owned);
    let reference = Reference {
        ordinal: 0,
        url,
        description,
    };
    all.push((ordinal, reference));
}

/// Reads references that are links in a text: the line that a link stands in describes it.
fn linked(node: &XmlNode<'_>, ordinal: Option<i32>, all: &mut Vec<Placed>) {
    /// Links that are looked for in each line. Further ones are described by their own texts.
    const MOST_LINKS: usize = 64;
    let mut links: Vec<(Option<Cow<'_, str>>, String)> = Vec::new();
    for link in node.links() {
        links.push((link.value(URLS), link.joined().into_owned()));
    }
    if links.len() <= MOST_LINKS {
        let mut is_read = true;
        for line in lines(&node.text) {
            let in_line = |(_, text): &&mut (Option<Cow<'_, str>>, String)| {
                !text.is_empty() && line.contains(&**text)
            };
            let mut found: Vec<_> = links.iter_mut().filter(in_line).collect();
            match &mut found[..] {
                [] => plain_references(line, None, all),
                [(_, text)] => line.clone_into(text),
                _ => is_read = false,
            }
        }
        if is_read {
            node.read();
        }
    }
    for (url, text) in links {
        let reference = Reference {
            ordinal: 0,
            url: url.map(Cow::into_owned),
            description: Some(text).filter(|text| !text.is_empty()),
        };
        all.push((ordinal, reference));
    }
}

/// Numbers the references that upstream did not. They are sorted for that:
/// another order upstream is no other advisory.
pub(super) fn numbered(references: Vec<Placed>) -> Vec<Reference> {
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
pub(super) fn impacts(rules: &ParserRules, record: &XmlNode<'_>) -> Vec<String> {
    IMPACTS.read((rules, record, AliasField::Impacts), split_impacts, impact)
}

fn impact(node: &XmlNode<'_>, into: &mut Vec<String>) {
    const IDS: &[u64] = keys!["id", "code"];
    const NAMES: &[u64] = keys!["name", "description"];
    let known = parsed(node, IDS, codes::impact);
    // A name that says something else stays left over.
    let differs = |text: &str| known.is_some_and(|known| codes::impact(text) != Some(known));
    let named = parsed(node, NAMES, |text| {
        (!differs(text)).then(|| text.to_owned())
    });
    let text = known.map(str::to_owned).or(named);
    match text.or_else(|| node.value(IDS).map(Cow::into_owned)) {
        Some(text) => into.push(codes::impact(&text).map_or_else(|| name(&text), str::to_owned)),
        None => split_impacts(node.read(), into),
    }
}

/// The value under one of `names`, where it is understood; else it stays left over.
fn parsed<T>(node: &XmlNode<'_>, names: &[u64], read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = read(&node.peek(names)?)?;
    node.value(names);
    Some(value)
}

fn split_impacts(text: &str, into: &mut Vec<String>) {
    for part in text.split([',', ';', '\n']).map(str::trim) {
        if !part.is_empty() {
            into.push(codes::impact(part).map_or_else(|| name(part), str::to_owned));
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// A name on one line, cut where no real one is that long.
fn name(text: &str) -> String {
    let lines: Vec<&str> = lines(text).collect();
    beginning(&lines.join(" "), LONGEST_NAME_CHARS).to_owned()
}
