//! Webhook sink settings (Standard Webhooks).

use super::super::environment::Environment;
use super::super::secret_file::{SecretFile, secret_file};
use super::super::section::Section;
use super::target::PostTarget;
use super::template::{TemplateSettings, template};

/// `kind = "webhook"`: JSON, signed according to Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// URL and HTTP settings.
    pub target: PostTarget,
    /// One secret, or two while they are rotated.
    pub secret: SecretFile,
    /// Template of the body; if omitted, the body is the message as JSON.
    pub template: Option<TemplateSettings>,
}

impl WebhookSettings {
    pub(super) fn read(section: &mut Section<'_>, env: &Environment) -> Option<Self> {
        section.refuse(
            "secret",
            "the secret does not belong here; store it in a file and set `secret_file`",
        );
        if !section.has("secret_file") {
            let advice = "add the file that contains `whsec_…`, generated with \
                          `echo whsec_$(openssl rand -base64 32)`";
            section.missing("secret_file", advice);
        }
        let target = PostTarget::read(section, env);
        if let Some(target) = &target {
            target.refuse_templates(section);
        }
        let secret = section.secret("secret_file", secret_file(env));
        let has_template = section.has("template_file");
        let template = section.optional("template_file", template);
        (template.is_some() == has_template).then_some(())?;
        Some(Self {
            target: target?,
            secret: secret?,
            template,
        })
    }
}
