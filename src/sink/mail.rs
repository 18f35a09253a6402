//! Emails: subject, text and HTML parts, and headers.

use std::time::SystemTime;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::open::OpenError;
use super::outcome::Refused;
use super::render::{CompiledTemplate, TemplateFormat};
use super::smtp::MailEnvelope;
use crate::model::{Message, one_line, shortened};

const TEXT: &str = include_str!("templates/mail.txt.j2");
const HTML: &str = include_str!("templates/mail.html.j2");
/// How many alerts a mail lists, as in the templates; more are sent in several mails.
pub(super) const MAX_LISTED: usize = 100;
/// Maximum length of a subject, in characters: mail programs do not show more.
const MAX_SUBJECT_CHARS: usize = 200;
/// Prevents automatic replies (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Renders messages as emails.
#[derive(Debug)]
pub(super) struct Mail {
    from: Mailbox,
    to: Vec<Mailbox>,
    text: CompiledTemplate,
    html: CompiledTemplate,
}

impl Mail {
    pub(super) fn new(from: Mailbox, to: Vec<Mailbox>) -> Result<Self, OpenError> {
        Ok(Self {
            from,
            to,
            text: CompiledTemplate::compile(
                "the text template of emails",
                TEXT,
                TemplateFormat::Text,
            )?,
            html: CompiledTemplate::compile(
                "the HTML template of emails",
                HTML,
                TemplateFormat::Html,
            )?,
        })
    }

    /// One email for the whole message. A retry has the same `Message-ID` and
    /// date, so that mail programs show it only once.
    pub(super) fn write(&self, message: &Message) -> Result<MailEnvelope, Refused> {
        let wrong = |why: String| {
            Refused::unbuilt(format!("cannot build an email from the message: {why}"))
        };
        let text = self.text.render(message).map_err(wrong)?;
        let html = self.html.render(message).map_err(wrong)?;
        let id = format!("<{}@advisoryd.{}>", message.id, self.from.email.domain());
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject(&message.title))
            .date(SystemTime::from(message.at))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".into()));
        for mailbox in &self.to {
            builder = builder.to(mailbox.clone());
        }
        let mail = builder
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|error| wrong(error.to_string()))?;
        Ok(MailEnvelope {
            from: self.from.email.clone(),
            to: self
                .to
                .iter()
                .map(|mailbox| mailbox.email.clone())
                .collect(),
            bytes: mail.formatted(),
        })
    }
}

/// The text part of a message.
pub(super) fn text(message: &Message) -> Result<String, String> {
    CompiledTemplate::compile("the text template of emails", TEXT, TemplateFormat::Text)
        .map_err(|error| error.to_string())?
        .render(message)
}

/// One line: a line break in a title would inject a header. What looks like an encoded word
/// (RFC 2047) would be sent as it is, and decoded by the mail program: it is taken apart.
fn subject(title: &str) -> String {
    let line = one_line(title).replace("=?", "= ?").replace("?=", "? =");
    shortened(&line, MAX_SUBJECT_CHARS)
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn an_encoded_word_in_a_title_is_not_one_in_the_subject() {
        for title in [
            "SA1: =?utf-8?q?=0ABcc:_evil@evil?= x",
            "SA1: =?utf-8?b?4oCuZ25paHRvbg==?=",
            "=\u{200b}?utf-8?b?eA==?=",
            "==??utf-8?b?eA==??==",
        ] {
            let subject = subject(title);
            assert!(
                !subject.contains("=?") && !subject.contains("?="),
                "{subject}"
            );
        }
        assert_eq!(subject("SA1: is a = b?"), "SA1: is a = b?");
    }
}
