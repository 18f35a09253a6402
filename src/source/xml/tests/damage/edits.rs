//! All damages of one kind of a document.

/// Where the tags of a document are.
fn tags(document: &str) -> Vec<std::ops::Range<usize>> {
    let starts = document.match_indices('<').map(|(at, _)| at);
    let ends = |at: usize| {
        let end = at + document[at..].find('>')? + 1;
        (!document[at + 1..end].contains('<')).then_some(at..end)
    };
    starts.filter_map(ends).collect()
}

pub(super) type EditKind = fn(&str, Edit<'_>);
pub(super) type Edit<'e> = &'e mut dyn FnMut(&[u8], &dyn Fn() -> String);

pub(super) fn deleted_bytes(document: &str, each: Edit<'_>) {
    for at in 0..document.len() {
        let mut damaged = document.as_bytes().to_vec();
        damaged.remove(at);
        each(&damaged, &|| format!("without byte {at}"));
    }
}

pub(super) fn replaced_bytes(document: &str, each: Edit<'_>) {
    for at in 0..document.len() {
        for byte in *b"<>\"x\0" {
            let mut damaged = document.as_bytes().to_vec();
            damaged[at] = byte;
            each(&damaged, &|| format!("{:?} at byte {at}", char::from(byte)));
        }
    }
}

pub(super) fn inserted_bytes(document: &str, each: Edit<'_>) {
    for at in 0..document.len() {
        for byte in *b"<\"" {
            let mut damaged = document.as_bytes().to_vec();
            damaged.insert(at, byte);
            each(&damaged, &|| {
                format!("{:?} before byte {at}", char::from(byte))
            });
        }
    }
}

pub(super) fn swapped_tags(document: &str, each: Edit<'_>) {
    for pair in tags(document).windows(2) {
        let (one, other) = (pair[0].clone(), pair[1].clone());
        let damaged = [
            &document[..one.start],
            &document[other.clone()],
            &document[one.end..other.start],
            &document[one.clone()],
            &document[other.end..],
        ];
        each(damaged.concat().as_bytes(), &|| {
            format!(
                "{} and {} swapped at byte {}",
                &document[one.clone()],
                &document[other.clone()],
                one.start
            )
        });
    }
}

pub(super) fn damaged_names(document: &str, each: Edit<'_>) {
    for tag in tags(document) {
        let start = tag.start + 1 + usize::from(document[tag.start + 1..].starts_with('/'));
        let rest = &document[start..tag.end];
        let length = rest.find([' ', '/', '>']).unwrap_or(rest.len());
        for name in [
            "x",
            "advisory",
            "list-item",
            "c:doc",
            "title",
            "id",
            "a",
            "advisory_identifier",
            "",
        ] {
            let damaged = format!(
                "{}{name}{}",
                &document[..start],
                &document[start + length..]
            );
            each(damaged.as_bytes(), &|| {
                format!("{} called {name} at byte {start}", &document[tag.clone()])
            });
        }
    }
}

pub(super) fn removed_doubled_and_cut_tags(document: &str, each: Edit<'_>) {
    for tag in tags(document) {
        let whole = &document[tag.clone()];
        // Without a record that is one tag, the document is sound and has one less.
        let is_record = whole.ends_with("/>") && whole.contains(" said=");
        if !is_record {
            let removed = format!("{}{}", &document[..tag.start], &document[tag.end..]);
            each(removed.as_bytes(), &|| {
                format!("without {whole} at byte {}", tag.start)
            });
        }
        let doubled = format!("{}{}", &document[..tag.end], &document[tag.start..]);
        each(doubled.as_bytes(), &|| {
            format!("{whole} twice at byte {}", tag.start)
        });
        for end in tag.start + 1..tag.end {
            let cut = format!("{}{}", &document[..end], &document[tag.end..]);
            each(cut.as_bytes(), &|| format!("{whole} cut at byte {end}"));
        }
    }
}
