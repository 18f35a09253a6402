//! Webhook sink: signed JSON (Standard Webhooks).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderMap, HeaderValue};
use sha2::Sha256;

use super::open::OpenError;
use super::outcome::{DeliveryReceipt, Refused};
use super::post::{Post, PostBody};
use super::render::{CompiledTemplate, TemplateFormat};
use super::secrets::Secrets;
use crate::config::{self, SecretFile};
use crate::model::Message;

/// Prefix of a secret in Standard Webhooks.
const PREFIX: &str = "whsec_";
/// Allowed lengths of a key in Standard Webhooks, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The new and the previous secret.
const MAX_KEYS: usize = 2;

/// Signs with every key that the receiver may have.
struct Signer(Vec<Hmac<Sha256>>);

/// JSON, signed according to Standard Webhooks.
#[derive(Debug)]
pub(super) struct WebhookSink {
    post: Post,
    signer: Signer,
    template: Option<CompiledTemplate>,
}

impl WebhookSink {
    pub(super) fn open(
        settings: &config::WebhookSettings,
        timeout: Duration,
        secrets: &mut Secrets,
    ) -> Result<Self, OpenError> {
        let config::WebhookSettings {
            target,
            secret,
            template,
        } = settings;
        let template = template.as_ref().map(|template| {
            CompiledTemplate::compile(&template.name, &template.text, TemplateFormat::Json)
        });
        Ok(Self {
            post: Post::open(target, timeout, secrets)?,
            signer: Signer::read(secret, secrets)?,
            template: template.transpose()?,
        })
    }

    pub(super) async fn send(
        &self,
        message: &Message,
        now: DateTime<Utc>,
    ) -> Result<DeliveryReceipt, Refused> {
        let bytes = match &self.template {
            Some(template) => template
                .render(message)
                .map(Bytes::from)
                .map_err(|why| Refused::unbuilt(format!("the template {why}")))?,
            None => serde_json::to_vec(message)
                .map(Bytes::from)
                .map_err(|error| {
                    Refused::unbuilt(format!("cannot encode the message as JSON: {error}"))
                })?,
        };
        let timestamp = now.timestamp();
        let signature = self.signer.sign(&message.id, timestamp, &bytes);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|_| {
                Refused::permanent(format!("cannot send the message ID in the header `{name}`"))
            })?;
            headers.insert(name, value);
        }
        let body = PostBody {
            headers,
            ..PostBody::json(bytes)
        };
        self.post.send(body, now).await
    }
}

impl Signer {
    fn read(file: &SecretFile, secrets: &mut Secrets) -> Result<Self, OpenError> {
        let lines = file.lines()?;
        let wrong = |why: &str| OpenError::malformed(file, "webhook secrets", why);
        if lines.len() > MAX_KEYS {
            return Err(wrong("expected one line, or two during a rotation"));
        }
        let mut keys = Vec::new();
        for line in &lines {
            let advice = "expected `whsec_` and base64 of 24 to 64 bytes, generated with \
                          `echo whsec_$(openssl rand -base64 32)`";
            let encoded = line.expose().strip_prefix(PREFIX);
            let key = encoded.and_then(|text| STANDARD.decode(text).ok());
            let (Some(encoded), Some(key)) = (encoded, key) else {
                return Err(wrong(advice));
            };
            if !KEY_BYTES.contains(&key.len()) {
                return Err(wrong(advice));
            }
            secrets.add(encoded);
            keys.push(Hmac::new_from_slice(&key).map_err(|_| wrong(advice))?);
        }
        Ok(Self(keys))
    }

    /// `v1,…`, once per key.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .map(|key| {
                let mut mac = key.clone();
                mac.update(format!("{id}.{timestamp}.").as_bytes());
                mac.update(body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} keys", self.0.len())
    }
}
