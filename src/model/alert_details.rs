//! What an alert says in addition to what rules compare.

use super::{Alert, ChangedField, Cvss, LinkTemplates};

/// Content of the database that an alert quotes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertDetails {
    /// Identifier of the advisory.
    pub said: Option<String>,
    /// Upstream's id of the advisory.
    pub advisory_id: Option<i64>,
    /// CVSS by version: 4, 3 and 2.
    pub cvss: [Cvss; 3],
    /// Names of the affected products.
    pub products: Vec<String>,
    /// The solution's text.
    pub solution: Option<String>,
    /// The ticket itself, or the newest one of the advisory.
    pub ticket: Option<TicketDetails>,
    /// How many further tickets the advisory has.
    pub more_tickets: usize,
    /// Names of the watch lists, in the order of [`Alert::watch_list_ids`]; `None` if unknown.
    pub watch_list_names: Vec<Option<String>>,
    /// What the version changed.
    pub changed: Vec<ChangedField>,
}

/// The ticket of an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketDetails {
    /// Upstream's id.
    pub id: i64,
    /// The number that people use.
    pub number: Option<i64>,
    /// Its status.
    pub status: Option<String>,
}

impl Alert {
    /// The alert with its details and links, bounded.
    #[must_use]
    pub fn detailed(mut self, details: AlertDetails, links: &LinkTemplates) -> Self {
        let cvss = details.cvss.into_iter().zip(["4", "3", "2"]);
        let best = cvss
            .into_iter()
            .find(|(cvss, _)| cvss.score.is_some() || cvss.vector.is_some());
        if let Some((cvss, version)) = best {
            self.cvss_version = Some(version.to_owned());
            self.cvss_score = cvss.score;
            self.cvss_vector = cvss.vector;
        }
        let ticket = details.ticket.unwrap_or_default();
        let is_ticket = ticket.id != 0;
        if is_ticket && self.ticket_status.is_none() {
            self.ticket_status = ticket.status;
        }
        self.ticket_id = is_ticket.then_some(ticket.id);
        self.ticket_number = ticket.number;
        self.more_tickets = details.more_tickets;
        let said = || details.said.clone();
        let advisory_id = details.advisory_id.map(|id| id.to_string());
        self.advisory_url = links
            .advisory
            .as_ref()
            .and_then(|link| link.fill(&[("said", said()), ("id", advisory_id)]));
        let number = ticket.number.map(|number| number.to_string());
        let id = self.ticket_id.map(|id| id.to_string());
        self.ticket_url = self.ticket_id.and_then(|_| {
            let values = [("number", number), ("id", id), ("said", said())];
            links.ticket.as_ref()?.fill(&values)
        });
        self.said = details.said;
        self.products = details.products;
        self.solution = details.solution;
        self.watch_list_names = self
            .watch_list_ids
            .iter()
            .zip(
                details
                    .watch_list_names
                    .into_iter()
                    .chain(std::iter::repeat(None)),
            )
            .map(|(id, name)| name.unwrap_or_else(|| id.to_string()))
            .collect();
        self.changed = details.changed;
        self.bounded()
    }
}
