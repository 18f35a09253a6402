//! Capture report: every statement of the contract that the responses can confirm.

mod access;
mod advisories;
mod answers;
mod collections;
mod feed;
mod tickets;

use std::sync::Arc;

use self::answers::Answers;
use super::claim::ContractClaim;
use super::response::CapturedResponse;
use crate::source::xml::ParserRules;

pub(super) use feed::has_records;

/// All claims, in the order of the contract.
pub(super) fn all(response: &[CapturedResponse], rules: &Arc<ParserRules>) -> Vec<ContractClaim> {
    let answers = Answers(response);
    let mut claims = access::claims(answers);
    claims.extend(collections::claims(answers));
    claims.extend(feed::claims(answers, rules));
    claims.extend(tickets::claims(answers));
    claims.extend(advisories::claims(answers));
    claims
}
