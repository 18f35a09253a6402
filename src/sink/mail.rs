use std::time::SystemTime;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::open::OpenError;
use super::outcome::Refused;
use super::render::{Form, Template};
use super::smtp::Envelope;
use crate::model::{Message, one_line, shortened};

const TEXT: &str = include_str!("templates/mail.txt.j2");
const HTML: &str = include_str!("templates/mail.html.j2");
/// Longest subject, in characters: more is not shown anywhere.
const MAX_SUBJECT_CHARS: usize = 200;
/// Whoever answers mails by program does not answer this one (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// How messages become mails.
#[derive(Debug)]
pub(super) struct Mail {
    from: Mailbox,
    to: Vec<Mailbox>,
    text: Template,
    html: Template,
}

impl Mail {
    pub(super) fn new(from: Mailbox, to: Vec<Mailbox>) -> Result<Self, OpenError> {
        Ok(Self {
            from,
            to,
            text: Template::compile("the text of mails", TEXT, Form::Text)?,
            html: Template::compile("the HTML of mails", HTML, Form::Html)?,
        })
    }

    /// One mail for the whole message. Sent again, it has the same
    /// `Message-ID` and the same date: mail programs show it once.
    pub(super) fn write(&self, message: &Message) -> Result<Envelope, Refused> {
        let wrong = |why: String| Refused::permanent(format!("the message makes no mail: {why}"));
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
        Ok(Envelope {
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

/// One line: a line end in a title would begin a header of its own.
fn subject(title: &str) -> String {
    shortened(&one_line(title), MAX_SUBJECT_CHARS)
}
