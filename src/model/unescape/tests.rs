#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::super::text_view::TextView;
use super::{Markup, unescaped};

fn shown(text: &str, markup: Markup) -> String {
    let view = TextView::of(text);
    let view = unescaped(&view, markup).unwrap_or(view);
    String::from_utf8(view.bytes).unwrap()
}

#[test]
fn codes_are_decoded_to_any_depth_and_in_any_mixture() {
    for (text, decoded) in [
        ("%61%2562%2525252563", "abc"),
        ("%u 100% & 5% \\q", "%u 100% & 5% \\q"),
        ("\\u0061\\u{62}\\x63\\\\u0064", "abcd"),
        ("\\ud835\\udfce \\ud835 \\udfce", "0 \\ud835 \\udfce"),
        ("%u0061%U0062%u0025u0063 %uD835%uDFCE", "abc 0"),
        (
            "\\U00000061\\\\U00000062 \\U0001D7CE \\U00110000",
            "ab 0 \\U00110000",
        ),
        ("&#97;&#x62;&amp;#99;&amp;amp;", "abc&"),
        ("%ef%bc%91%F0%9D%9F%8E", "10"),
        ("%26%2397%3b%5cu0062", "ab"),
        ("a%00b\\nc\\\"d\\\\", "ab c\\\"d\\\\"),
    ] {
        assert_eq!(shown(text, Markup::Kept), decoded, "{text}");
    }
}

#[test]
fn markup_is_removed_wherever_it_stands() {
    for (text, left) in [
        ("a<wbr>b</wbr><b class=\"x\">c<!-- d -->d", "abcd"),
        ("a < b > c <> d <1>", "a < b > c <> d <1>"),
        ("a&lt;wbr&gt;b%3Cwbr%3Ec%<wbr>64", "abcd"),
        ("a<![CDATA[b]]>c", "abc"),
        (
            "a\u{1b}[31mb\u{9b}1;2Kc\u{1b}[md\u{1b}(Be\u{1b}cf",
            "abcdef",
        ),
        (
            "a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c\u{9d}x\u{9c}d",
            "abcd",
        ),
        ("a\\u001b[31mb\\x1b[0mc\\033[0md\\e[0me", "abcde"),
        (
            "a[31mb [1] [a] x[0] [redacted]",
            "ab [1] [a] x[0] [redacted]",
        ),
    ] {
        assert_eq!(shown(text, Markup::Removed), left, "{text}");
    }
    let text = "<a href=\"x\">\u{1b}]0;y\u{7}";
    assert_eq!(shown(text, Markup::Kept), text);
}
