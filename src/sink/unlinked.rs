//! Texts of strangers in which no receiver finds a link, a mention, a command or a
//! telephone number.

use crate::model::one_line;

/// Cannot be seen, and breaks what a receiver would recognise.
pub(super) const BREAK: char = '\u{200b}';
/// Minimum number of digits of a telephone number.
const MIN_PHONE_DIGITS: usize = 6;
/// Schemes whose addresses have no `//`, and that programs link.
const SCHEMES: [&str; 27] = [
    "mailto",
    "tel",
    "sms",
    "mms",
    "callto",
    "sip",
    "sips",
    "skype",
    "facetime",
    "xmpp",
    "im",
    "news",
    "magnet",
    "bitcoin",
    "geo",
    "maps",
    "data",
    "javascript",
    "vbscript",
    "file",
    "blob",
    "about",
    "cid",
    "matrix",
    "tg",
    "msteams",
    "market",
];
/// How many digits of a telephone number stay together.
const DIGITS_TOGETHER: usize = 3;

/// One line in which nothing is linked and nobody mentioned: a zero-width space breaks
/// addresses, names, commands and telephone numbers. A reader sees the same text.
pub(super) fn unlinked(text: &str) -> String {
    broken(text, is_joined)
}

/// The same for mail programs, which know no names and commands: `#1037` stays as it is.
pub(super) fn unaddressed(text: &str) -> String {
    broken(text, is_address)
}

/// The letters before, the letter, and what comes behind it.
type Joined = fn(&[char], char, &[char]) -> bool;

fn broken(text: &str, is_joined: Joined) -> String {
    let letters: Vec<char> = one_line(text).chars().collect();
    let mut plain = String::with_capacity(text.len());
    let mut phone = 0..0;
    let mut digits = 0;
    for (at, letter) in letters.iter().enumerate() {
        let before = &letters[..at];
        if at >= phone.end && begins_word(before.last().copied()) {
            phone = at..at + phone_length(&letters[at..]);
            digits = 0;
        }
        plain.push(*letter);
        let rest = &letters[at + 1..];
        digits += usize::from(letter.is_ascii_digit());
        let is_between = *letter == '+' || letter.is_ascii_digit() && digits % DIGITS_TOGETHER == 0;
        let has_digit = rest.first().is_some_and(char::is_ascii_digit);
        let is_in_phone = phone.contains(&at) && has_digit && is_between;
        if is_in_phone || !rest.is_empty() && is_joined(before, *letter, rest) {
            plain.push(BREAK);
        }
    }
    plain
}

/// Whether a chat could find an address, a name or a command around this letter.
fn is_joined(before: &[char], letter: char, rest: &[char]) -> bool {
    let next = rest.first().copied().unwrap_or(' ');
    match letter {
        '#' | '<' | '\u{ff03}' => next != ' ',
        ']' => next == '(',
        ':' if begins_emoji(before, rest) => true,
        // `/stop` is a command, `$ABC` a stock.
        '/' | '$' => begins_word(before.last().copied()) && next.is_alphanumeric(),
        _ => is_address(before, letter, rest),
    }
}

/// Whether a program could find an address around this letter. CVSS vectors, CPEs and times
/// have colons, too, and are copied.
fn is_address(before: &[char], letter: char, rest: &[char]) -> bool {
    let next = rest.first().copied().unwrap_or(' ');
    let last = before.last().copied();
    match letter {
        ':' | '\u{ff1a}' => matches!(next, '/' | '\\') || next != ' ' && ends_scheme(before),
        '@' | '\u{ff20}' => next != ' ',
        '.' => last.is_some_and(|last| last != ' ') && goes_on(next) && !is_version(last, rest),
        // Browsers and chats read them as a dot.
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}' => goes_on(next),
        _ => false,
    }
}

/// Whether the letters end with a scheme whose addresses have no `//`.
fn ends_scheme(before: &[char]) -> bool {
    let is_part = |letter: &char| letter.is_ascii_alphanumeric() || "+-.".contains(*letter);
    let word = before.iter().rev().take_while(|letter| is_part(letter));
    let word: String = word.collect::<Vec<_>>().into_iter().rev().collect();
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether a colon begins the name of an emoji, such as `:tada:`.
fn begins_emoji(before: &[char], rest: &[char]) -> bool {
    let is_name = |letter: &&char| letter.is_ascii_alphanumeric() || "_+'-".contains(**letter);
    let length = rest.iter().take_while(is_name).count();
    length > 0 && rest.get(length) == Some(&':') && begins_word(before.last().copied())
}

/// Whether the dot is one of a number such as 9.8, or of a version such as 1.2.3 or 1.x.
fn is_version(before: Option<char>, rest: &[char]) -> bool {
    let is_after = |is_good: fn(&char) -> bool| before.as_ref().is_some_and(is_good);
    match rest {
        [next, ..] if next.is_ascii_digit() => is_after(char::is_ascii_alphanumeric),
        [next, rest @ ..] if next.is_ascii_alphabetic() => {
            let is_end = |letter: &char| *letter != '-' && !goes_on(*letter);
            is_after(char::is_ascii_digit) && rest.first().is_none_or(is_end)
        }
        _ => false,
    }
}

/// Whether a part of an address could begin with this letter.
fn goes_on(letter: char) -> bool {
    letter != ' ' && !letter.is_ascii_punctuation()
}

fn begins_word(before: Option<char>) -> bool {
    before.is_none_or(|before| !before.is_alphanumeric() && !"-_./+<".contains(before))
}

/// The length of the telephone number at the beginning of the letters: with a country code,
/// or with the zero before an area code.
fn phone_length(letters: &[char]) -> usize {
    let inner = match letters {
        ['+', rest @ ..] => rest,
        ['(', '0', ..] | ['0', ..] => letters,
        _ => return 0,
    };
    let is_part = |letter: &&char| letter.is_ascii_digit() || " -/()".contains(**letter);
    // With its country code a number may have dots, too; without, it is a version.
    let is_part_here =
        |letter: &&char| is_part(letter) || **letter == '.' && letters.first() == Some(&'+');
    let length = inner.iter().take_while(is_part_here).count();
    let digits = inner[..length]
        .iter()
        .filter(|letter| letter.is_ascii_digit());
    let starts = inner
        .first()
        .is_some_and(|first| first.is_ascii_digit() || *first == '(');
    if starts && digits.count() >= MIN_PHONE_DIGITS {
        length + letters.len() - inner.len()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::{BREAK, unaddressed, unlinked};

    #[test]
    fn nothing_of_a_stranger_is_an_address_a_command_or_a_telephone_number() {
        for (text, broken) in [
            ("i❤.ws 😀.ws", "i❤.¦ws 😀.¦ws"),
            (
                "cafe\u{301}.com caf\u{e9}.com",
                "cafe\u{301}.¦com caf\u{e9}.¦com",
            ),
            (
                "evil。com evil．com evil｡com evil․com",
                "evil。¦com evil．¦com evil｡¦com evil․¦com",
            ),
            (
                "evil.com. x_.com a).com \"b\".com",
                "evil.¦com. x_.¦com a).¦com \"b\".¦com",
            ),
            (
                "a.xn--p1ai пример.рф 例.中国",
                "a.¦xn--p1ai пример.¦рф 例.¦中国",
            ),
            ("https://evil.example", "https:¦//evil.¦example"),
            ("/stop (/stop /stop@bot", "/¦stop (/¦stop /¦stop@¦bot"),
            ("$ABC @here #general", "$¦ABC @¦here #¦general"),
            (
                "mailto:x tel:+1 JavaScript:x",
                "mailto:¦x tel:¦+1 JavaScript:¦x",
            ),
            (":tada: (:+1:", ":¦tada: (:¦+1:"),
            ("+49 30 901820-17", "+¦49 3¦0 90¦182¦0-17"),
            ("+14155550199", "+¦141¦555¦501¦99"),
            ("0800 1234567", "080¦0 12¦345¦67"),
            ("(030) 1234567", "(030) 123¦456¦7"),
            ("0049301234567", "004¦930¦123¦456¦7"),
        ] {
            assert_eq!(unlinked(text).replace(BREAK, "¦"), broken);
        }
    }

    #[test]
    fn numbers_identifiers_versions_and_paths_can_be_searched_for() {
        for text in [
            "CVE-2026-1",
            "CVE-2026-0123456",
            "SA123 SA1234567",
            "1.2.3 v1.2.3-rc.1 10.0.19045.3693 2.x, 3.x",
            "0.1.2345678 .NET",
            "8.8 of 10, 50 % and/or x/y 24/7",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H (AV:N/AC:L/Au:N/C:P/I:P/A:P)",
            "2026-11-29T12:30:45Z 12:30:45 cpe:2.3:a:openssl:openssl:3 a:b",
            "2026-11-29 00 1+1 C++ +3",
            "at the end. Next... e, etc.",
        ] {
            assert_eq!(unlinked(text), text);
            assert_eq!(unaddressed(text), text);
        }
    }

    #[test]
    fn a_mail_has_no_address_of_a_stranger_and_all_else_stays() {
        let text =
            "https://evil.example evil。com a@evil.example 1.com i❤.ws \u{ff1a}// +49 30 901820";
        let broken = "https:¦//evil.¦example evil。¦com a@¦evil.¦example 1.¦com i❤.¦ws \u{ff1a}¦// +¦49 3¦0 90¦182¦0";
        assert_eq!(unaddressed(text).replace(BREAK, "¦"), broken);
        let same = "CVSS:3.1/AV:N/AC:L ticket #1037 <b> /stop $ABC :tada: a](b";
        assert_eq!(unaddressed(same), same);
    }
}
