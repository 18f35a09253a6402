//! Baseline of new rules: a new rule is matched once against the stored advisories. The
//! number of matches is logged; alerts are created only with `--alert-backlog`.

use tracing::info;

use super::evaluate::{RuleSet, raised_of};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ChangeKind, Matcher, Subject, Verdict, alert_of, counted};
use crate::store::alerts::alert;
use crate::store::alerts::details;
use crate::store::alerts::evaluation;
use crate::store::alerts::rule;
use crate::store::alerts::silence;
use crate::store::alerts::subject::{self, StoredPage};
use crate::store::database;

/// Advisories per query.
pub(super) const PAGE: i64 = 1000;

/// Counts the stored advisories that each new rule matches.
pub async fn count(context: &Context, rules: &RuleSet<'_>) -> Result<(), Failure> {
    let mut connection = context.pool.acquire().await?;
    let current = rule::current(&mut connection).await?;
    drop(connection);
    for new in current.iter().filter(|one| one.baseline_matches.is_none()) {
        let Some(matcher) = rules.matcher(new) else {
            continue;
        };
        let Some(count) = match_stored(context, rules, &matcher, new.after_seq).await? else {
            return Ok(());
        };
        let mut transaction = database::begin(&context.pool).await?;
        rule::counted(&mut transaction, new.id, count).await?;
        transaction.commit().await?;
        let name = &new.name;
        if rules.backlog {
            info!(rule.name = %name, matches = count, "new rule `{name}`: matches {}, creating alerts for what exists", counted(count, "existing advisory"));
        } else {
            info!(rule.name = %name, matches = count, "new rule `{name}`: matches {}, no alerts sent for what exists (use --alert-backlog to send)", counted(count, "existing advisory"));
        }
    }
    Ok(())
}

/// The number of advisories stored up to change `after_seq` that the rule matches, as if
/// each had just appeared; `None` if advisoryd stops first. Advisories that appeared
/// later are evaluated as changes.
async fn match_stored(
    context: &Context,
    rules: &RuleSet<'_>,
    matcher: &Matcher,
    after_seq: i64,
) -> Result<Option<i64>, Failure> {
    if !selects_new_ones(matcher) {
        return Ok(Some(0));
    }
    let mut count = 0;
    let mut after = String::new();
    let words = matcher.words();
    loop {
        if context.stop.is_cancelled() {
            return Ok(None);
        }
        let mut connection = context.pool.acquire().await?;
        let page = StoredPage {
            after: &after,
            limit: PAGE,
            existing_at: after_seq,
            words: &words,
            only: None,
        };
        let subjects = subject::stored(&mut connection, page).await?;
        drop(connection);
        let Some(last) = subjects.last() else {
            return Ok(Some(count));
        };
        after.clone_from(&last.key);
        let found: Vec<&Subject> = subjects
            .iter()
            .filter(|one| one.is_followed && matcher.clauses(one) == Verdict::Matched)
            .collect();
        count += i64::try_from(found.len()).unwrap_or(i64::MAX);
        if rules.backlog {
            raise(context, rules, matcher, &found).await?;
        }
    }
}

/// Whether the rule selects advisories that are new, or new in a list.
pub(super) fn selects_new_ones(matcher: &Matcher) -> bool {
    let mut kinds = matcher.rule().on.iter();
    kinds.any(|kind| matches!(kind, ChangeKind::Appeared | ChangeKind::JoinedWatchList))
}

async fn raise(
    context: &Context,
    rules: &RuleSet<'_>,
    matcher: &Matcher,
    found: &[&Subject],
) -> Result<(), Failure> {
    let rule = matcher.rule();
    let now = context.clock.now();
    let mut transaction = database::begin(&context.pool).await?;
    evaluation::wait_and_lock(&mut transaction).await?;
    let silences = silence::active(&mut transaction, now).await?;
    let timing = rules.timing(now);
    let raised = found.iter().map(|subject| {
        let alert = alert_of(&rule.name, subject);
        let mut raised = raised_of(rule, subject, alert, &silences);
        timing.delay(rule, &mut raised);
        raised
    });
    let links = &context.config.upstream.links;
    let raised = details::complete(&mut transaction, raised.collect(), links).await?;
    alert::raise(&mut transaction, raised, now).await?;
    transaction.commit().await?;
    Ok(())
}
