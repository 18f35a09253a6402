//! Capture: saves one sample of each response that the contract leaves open, so that
//! developers without this account can see what upstream really sends.

mod ask;
mod captured;
mod claim;
mod claims;
mod disguise;
mod folder;
mod names;
mod patterns;
mod plan;
mod report;
mod taken;
mod time;

pub use ask::{Asker, Wanted};
pub use captured::{Captured, Written};
pub use claim::{Claim, Verdict};
pub use folder::{Folder, NotWritten};
pub use plan::most_calls;
pub use report::Report;
pub use taken::{Form, Owner, Taken};

use crate::config::{Token, Upstream};
use crate::source::xml::Rules;
use disguise::Disguise;

/// Checks the claims and anonymises the responses, unless `raw` is requested.
pub fn judge(
    answers: Vec<Taken>,
    rules: &std::sync::Arc<Rules>,
    upstream: &Upstream,
    token: &Token,
    raw: bool,
) -> anyhow::Result<Captured> {
    let mut report = report::report(&answers, rules);
    let mut disguise = Disguise::new(&upstream.base_url, token.expose())?;
    if raw {
        return Ok(Captured {
            report,
            answers: answers.into_iter().map(as_it_is).collect(),
        });
    }
    for answer in &answers {
        disguise.learn(answer);
    }
    disguise.search()?;
    report.change_texts(|text| disguise.text(text));
    let answers = answers
        .into_iter()
        .map(|answer| disguised(answer, &mut disguise))
        .collect();
    Ok(Captured { report, answers })
}

fn as_it_is(taken: Taken) -> Written {
    let whole = (!taken.is_cut).then(|| taken.bytes.clone());
    let cut = || taken.text.as_deref().map(|text| taken.encoded(text));
    Written {
        headers: taken.headers.clone(),
        // A body that cannot be cut at a record is written as received.
        body: Some(whole.or_else(cut).unwrap_or_else(|| taken.bytes.clone())),
        taken,
    }
}

fn disguised(mut taken: Taken, disguise: &mut Disguise) -> Written {
    let headers = taken
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), disguise.header(name, value)))
        .collect();
    let body = disguise.body(&taken).map(|text| taken.encoded(&text));
    taken.target = disguise.text(&taken.target);
    taken.error = taken.error.map(|error| disguise.text(&error));
    Written {
        headers,
        body: body.or_else(|| taken.bytes.is_empty().then(Vec::new)),
        taken,
    }
}
