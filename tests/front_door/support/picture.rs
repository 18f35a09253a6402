//! What a terminal shows, as a picture: text with colours becomes lines of SVG.

use std::fmt::Write as _;

/// Height of a line and width of a letter, in pixels.
const LINE: usize = 19;
const LETTER: f64 = 8.43;
/// Around the text.
const MARGIN: usize = 20;

/// The picture of lines with the colours of a terminal, so many columns wide.
pub fn picture(text: &str, columns: u16) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let height = lines.len() * LINE + 2 * MARGIN;
    let width = f64::from(columns)
        .mul_add(LETTER, 2.0 * f64_of(MARGIN))
        .ceil();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e2e\"/>\n\
         <g fill=\"#cdd6f4\" style=\"white-space: pre\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + number * LINE + 14;
        let shown = spans(line);
        if !shown.is_empty() {
            writeln!(
                svg,
                "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">{shown}</text>"
            )
            .expect("a string");
        }
    }
    svg + "</g>\n</svg>\n"
}

fn f64_of(pixels: usize) -> f64 {
    f64::from(u32::try_from(pixels).expect("a small number"))
}

/// A line with its colours as `tspan`; links are left out.
fn spans(line: &str) -> String {
    let mut shown = String::new();
    let mut is_open = false;
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        shown.push_str(&escaped(before));
        if let Some(link) = after.strip_prefix(']') {
            rest = link.split_once("\u{1b}\\").map_or("", |(_, text)| text);
            continue;
        }
        let (codes, text) = after
            .strip_prefix('[')
            .and_then(|codes| codes.split_once('m'))
            .expect("only colours and links");
        for code in codes.split(';') {
            let style = match code {
                "" | "0" => "",
                "1" => "font-weight=\"bold\"",
                "2" => "opacity=\"0.6\"",
                "31" => "fill=\"#f38ba8\"",
                "32" => "fill=\"#a6e3a1\"",
                "33" => "fill=\"#f9e2af\"",
                other => panic!("no style for {other}"),
            };
            if style.is_empty() && is_open {
                shown.push_str("</tspan>");
                is_open = false;
            } else if !style.is_empty() && is_open {
                // `bold` within a colour: one element has both.
                let end = shown.rfind('>').expect("an element");
                shown.insert_str(end, &format!(" {style}"));
            } else if !style.is_empty() {
                write!(shown, "<tspan {style}>").expect("a string");
                is_open = true;
            }
        }
        rest = text;
    }
    shown.push_str(&escaped(rest));
    if is_open {
        shown.push_str("</tspan>");
    }
    shown
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
