-- A run fails with a category of its own when its watch list does not exist upstream.

alter table advisoryd.source
    drop constraint source_last_failure_check,
    add constraint source_last_failure_check check (last_failure in (
        'token_rejected', 'structure_not_recognised', 'request_budget_exhausted', 'list_missing', 'other'));
