//! Runs of Base64 around what was found in them of a secret.

use crate::model::text_view::TextView;

/// Extends ranges of the view to all of the Base64 around them, which holds the rest of the
/// secret, and returns their places in the text. The ranges are in order; of those in one run
/// only the first counts, so that a run is looked at once.
pub(super) fn runs_of_base64(
    view: &TextView,
    ranges: impl Iterator<Item = (usize, usize)>,
) -> impl Iterator<Item = (usize, usize)> {
    let mut done = 0;
    ranges.filter_map(move |range| {
        if range.1 <= done {
            return None;
        }
        let (start, end) = run_of_base64(view, range);
        done = end;
        Some((view.spans[start].0, view.spans[end - 1].1))
    })
}

fn run_of_base64(view: &TextView, (mut start, mut end): (usize, usize)) -> (usize, usize) {
    let is_base64 = |at: usize| {
        let byte = view.bytes[at];
        byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)
    };
    // Where something was left out, it ends.
    let is_joined = |at: usize| view.spans[at - 1].1 == view.spans[at].0;
    while start > 0 && is_base64(start - 1) && is_joined(start) {
        start -= 1;
    }
    while end < view.bytes.len() && is_base64(end) && is_joined(end) {
        end += 1;
    }
    (start, end)
}
