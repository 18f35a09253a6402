//! Content negotiation (`Accept`).

/// What a client can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// What the resource is made of: JSON, or XML for the feed.
    Native,
    /// The page for people.
    Html,
    /// 406.
    Nothing,
}

/// Chooses as Django REST framework does: what the client likes best, and of
/// equals what it names more exactly.
pub fn choose(accept: Option<&str>, native: &[&str]) -> Choice {
    let Some(accept) = accept else {
        return Choice::Native;
    };
    let liked = native.iter().map(|media| liking(accept, media)).max();
    let (native, html) = (liked.unwrap_or_default(), liking(accept, "text/html"));
    match (native, html) {
        ((0, _), (0, _)) => Choice::Nothing,
        (native, html) if html > native => Choice::Html,
        _ => Choice::Native,
    }
}

/// How much `accept` likes `media`, in thousandths, and how exactly it names it (3 = exactly).
fn liking(accept: &str, media: &str) -> (u32, u8) {
    let kind = media.split('/').next().unwrap_or_default();
    let ranges = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let exactness = match parts.next()? {
            name if name.eq_ignore_ascii_case(media) => 3,
            name if name.eq_ignore_ascii_case(&format!("{kind}/*")) => 2,
            "*/*" => 1,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        let thousandths = (quality.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as u32;
        Some((thousandths, exactness))
    });
    // The most exact range decides, not the most generous one.
    ranges
        .max_by_key(|(_, exactness)| *exactness)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Choice, choose};

    #[test]
    fn browsers_get_pages_and_programs_get_data() {
        const JSON: &[&str] = &["application/json"];
        assert_eq!(choose(None, JSON), Choice::Native);
        assert_eq!(choose(Some("*/*"), JSON), Choice::Native);
        assert_eq!(
            choose(Some("application/json, */*;q=0.5"), JSON),
            Choice::Native
        );
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(choose(Some(browser), JSON), Choice::Html);
        assert_eq!(choose(Some("application/xml"), JSON), Choice::Nothing);
        assert_eq!(choose(Some("application/json;q=0"), JSON), Choice::Nothing);
        let xml: &[&str] = &["application/xml", "text/xml"];
        assert_eq!(choose(Some("text/xml"), xml), Choice::Native);
    }
}
