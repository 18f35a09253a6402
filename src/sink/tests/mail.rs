//! Emails: headers.

use super::super::mail::Mail;
use super::message;
use crate::model::Message;

fn mail(message: &Message) -> String {
    let letter = Mail::new(
        "advisoryd <advisoryd@example.org>".parse().unwrap(),
        vec!["soc@example.org".parse().unwrap()],
    );
    let envelope = letter.unwrap().write(message).unwrap();
    String::from_utf8(envelope.bytes).unwrap()
}

#[test]
fn a_repeated_mail_is_recognisable_and_nobody_answers_it() {
    let (first, second) = (mail(&message()), mail(&message()));
    for head in [
        "Message-ID: <5c2b1e8a-0000-5000-8000-000000000000@advisoryd.example.org>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Date: Sun, 01 Mar 2026 13:36:30 +0000\r\n",
        "Subject: 2 advisories: SA87735, SA87000\r\n",
    ] {
        assert!(first.contains(head) && second.contains(head), "{first}");
    }
}

#[test]
fn a_title_cannot_begin_a_header_of_its_own() {
    let mut message = message();
    message.title = "one\r\nBcc: thief@example.com\r\n\r\nbody".into();
    let mail = mail(&message);
    let head = mail.split("\r\n\r\n").next().unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}
