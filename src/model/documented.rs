//! Names that the vendor or CVRF documents and no column holds: they are kept, and are no news.

/// Names of the JSON API (contract §7) and of CVRF 1.1 and 1.2. What stands inside is theirs too.
const NAMES: [&str; 29] = [
    "revisions",
    "pocfiles",
    "cveinfo",
    "custominfo",
    "cvssinfo",
    "cvss3info",
    "cvss4info",
    "threatrules",
    "hascpe",
    "nvdid",
    "modificationdate",
    "internaltype",
    "extendeddescription",
    "extendedsolution",
    "reasonforrating",
    "providedby",
    "cvssscoreui",
    "related",
    "relatedadvisories",
    "documenttype",
    "documentpublisher",
    "documenttracking",
    "documentdistribution",
    "documentnotes",
    "documentreferences",
    "aggregateseverity",
    "producttree",
    "acknowledgments",
    "vulnerability",
];
/// Lists of the JSON API,
const LISTS: [&str; 7] = [
    "vulnerabilities",
    "products",
    "product",
    "references",
    "reference",
    "impact",
    "impacts",
];
/// and what their items consist of.
const IN_LISTS: [&str; 9] = [
    "products",
    "title",
    "description",
    "ordinal",
    "id",
    "number",
    "name",
    "cpes",
    "cpe",
];

/// Whether what stands at a path from the record (`advisory/revisions/list-item/number`) is
/// documented, or says how to read the document.
pub fn is_documented(path: &str) -> bool {
    let mut names = path.split('/').skip(1).peekable();
    let is_of_list = names.peek().is_some_and(|name| is_one_of(name, &LISTS));
    let mut last = "";
    for (level, name) in names.enumerate() {
        let in_list = level > 0 && is_of_list && is_one_of(name, &IN_LISTS);
        if in_list || is_one_of(name, &NAMES) {
            return true;
        }
        last = name;
    }
    last.starts_with("@xml:") || last.starts_with("@xsi:")
}

/// Compares without case, namespace prefix and separators.
fn is_one_of(name: &str, names: &[&str]) -> bool {
    let name = name.strip_prefix('@').unwrap_or(name);
    let name = name.split_once(':').map_or(name, |(_, local)| local);
    let letters = || {
        let bytes = name.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
        bytes.map(|byte| byte.to_ascii_lowercase())
    };
    names.iter().any(|one| one.bytes().eq(letters()))
}

#[cfg(test)]
mod tests {
    use super::is_documented;

    #[test]
    fn what_is_documented_is_distinguished_from_what_is_new() {
        for path in [
            "advisory/revisions/list-item/number",
            "advisory/extended_solution",
            "a/products/product/cpes/item/nvd_id",
            "a/references/reference/title",
            "cvrf:doc/cvrf:Vulnerability/cvrf:Title",
            "a/title/@xml:lang",
        ] {
            assert!(is_documented(path), "{path}");
        }
        for path in [
            "advisory/colour",
            "advisory/workaround/description",
            "revisions/colour",
            "a/title/@lang",
            "a/products/product/status",
            "a/products/@id2",
        ] {
            assert!(!is_documented(path), "{path}");
        }
    }
}
