//! Rendering of the bodies of a hook, whose time grows with the number of alerts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::facts::alerts;
use super::super::render::CompiledTemplate;
use super::super::scope::{Scene, Scope};
use crate::model::Message;

/// A template with what it sees.
#[derive(Debug)]
pub(super) struct Rendering {
    pub(super) template: CompiledTemplate,
    pub(super) scope: Arc<Scope>,
    /// Whether it is rendered for each alert.
    pub(super) is_by_line: bool,
}

/// A message that can be rendered by another thread.
pub(super) struct Owned {
    message: Message,
    /// Nobody waits for the result any more.
    is_given_up: Arc<AtomicBool>,
}

/// Ends the rendering of what nobody waits for: a process that stops would wait for it.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Rendering {
    pub(super) fn render(&self, scene: Scene<'_>) -> Result<String, String> {
        self.render_until(scene, &AtomicBool::new(false))
    }

    fn render_until(&self, scene: Scene<'_>, is_given_up: &AtomicBool) -> Result<String, String> {
        let whole = self.scope.whole(scene.message);
        if !self.is_by_line || scene.alert.is_some() {
            return self.template.render_in(scene.about(&whole));
        }
        let mut lines = String::new();
        for alert in alerts(scene.message).iter() {
            if is_given_up.load(Ordering::Relaxed) {
                return Err("was not rendered: the attempt has ended".to_owned());
            }
            let scene = Scene {
                alert: Some(alert),
                ..scene
            };
            lines.push_str(&self.template.render_in(scene.about(&whole))?);
        }
        Ok(lines)
    }
}

impl Owned {
    /// Of a request about a whole message.
    pub(super) fn of(scene: Scene<'_>) -> Self {
        Self {
            message: scene.message.clone(),
            is_given_up: Arc::default(),
        }
    }

    pub(super) async fn render(self, rendering: &Arc<Rendering>) -> Result<String, String> {
        let rendering = Arc::clone(rendering);
        let _waiting = Waiting(Arc::clone(&self.is_given_up));
        let render = move || {
            let scene = Scene {
                message: &self.message,
                alert: None,
                object: None,
            };
            rendering.render_until(scene, &self.is_given_up)
        };
        match tokio::task::spawn_blocking(render).await {
            Ok(rendered) => rendered,
            Err(error) => Err(format!("was not rendered: {error}")),
        }
    }
}
