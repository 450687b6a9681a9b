//! Prints what was found: a table for people, one JSON object a line for scripts, a page to keep.
#![expect(clippy::print_stdout, reason = "printing is what this tool is for")]

use crate::found::Found;
use crate::machine::Machine;
use crate::row::{Row, Target};
use crate::{Options, Output};

const HEADINGS: [&str; 12] =
    ["row", "shape", "unit", "ours", "peer", "ratio", "low", "high", "target", "met", "CPU s/M spans", "peak MiB"];
const WIDTHS: [usize; 12] = [44, 66, 10, 8, 8, 7, 7, 7, 7, 4, 15, 13];

/// Prints everything.
pub(crate) fn print(found: &Found, machine: &Machine, options: &Options) {
    match options.output {
        Output::Json => found.rows.iter().for_each(|row| println!("{}", row.json())),
        Output::Markdown => print!("{}", page(found, machine, options)),
        Output::Table => {
            println!("{}", padded(&HEADINGS.map(str::to_owned)));
            found.rows.iter().for_each(|row| println!("{}", padded(&cells(row))));
        }
    }
}

/// What `integration/bench/RESULTS.md` holds.
fn page(found: &Found, machine: &Machine, options: &Options) -> String {
    let Machine { date, commit, processor, kernel, pressure } = machine;
    let (kind, repetitions) = (if options.quick { "quick" } else { "full" }, options.repetitions());
    let mut page = format!(
        "# Measured beside the Collector and beside floors\n\n\
         {date}, commit `{commit}`: a {kind} run of `cargo xtask bench --output markdown`, which wrote this file.\n\
         {processor}, Linux {kernel}. In the minute before, tasks of the machine waited {pressure} of the time for a core.\n\n\
         Each row is a ratio of two things measured in turns, {repetitions} times: its median, the least and the greatest. With a\n\
         least (≥) it says how many times as much the peer costs, otherwise what part of the peer's cost ours is. Absolute\n\
         figures are medians and hold for this machine and this run. What is measured, and how, stands at the head of each file\n\
         of `src/stand` and `src/micro`.\n\n"
    );
    page.push_str(&line(&HEADINGS.map(str::to_owned)));
    page.push_str(&line(&HEADINGS.map(|_| "---".to_owned())));
    found.rows.iter().for_each(|row| page.push_str(&line(&cells(row))));
    if !found.left_out.is_empty() {
        page.push_str("\nNot measured:\n\n");
        found.left_out.iter().for_each(|text| page.push_str(&format!("- {}\n", text.replace('\n', " "))));
    }
    page
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn padded(cells: &[String]) -> String {
    let padded = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

fn cells(row: &Row) -> [String; 12] {
    let target = match row.target {
        Target::AtLeast(least) => format!("≥ {least}"),
        Target::AtMost(most) => format!("≤ {most}"),
        Target::Shown => String::new(),
    };
    let met = match row.met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    let mebibytes = row.peaks.map(|peak| peak.map(|bytes| (bytes >> 20).to_string()));
    [
        row.row.to_owned(),
        row.shape.clone(),
        row.unit.to_owned(),
        figure(row.ours.median),
        figure(row.peer.median),
        figure(row.ratio.median),
        figure(row.ratio.low),
        figure(row.ratio.high),
        target,
        met.to_owned(),
        both(row.cpu_seconds().map(|seconds| seconds.map(|seconds| format!("{seconds:.3}")))),
        both(mebibytes),
    ]
}

/// Ours and the peer's, if there is one of the two.
fn both(sides: [Option<String>; 2]) -> String {
    if sides.iter().all(Option::is_none) {
        return String::new();
    }
    sides.map(|side| side.unwrap_or_else(|| "-".to_owned())).join(" / ")
}

/// Three places at least, whatever the size: ratios reach from thousandths to hundreds.
fn figure(figure: f64) -> String {
    match figure.abs() {
        large if large >= 100.0 => format!("{figure:.0}"),
        usual if usual >= 0.1 => format!("{figure:.2}"),
        _ => format!("{figure:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::row::{NANOS_A_SPAN, Spread};

    #[test]
    fn a_page_says_where_it_comes_from_and_what_is_missing() {
        let row = Row {
            row: "central fsync / tail sampling",
            shape: "1000 spans of 478 B".to_owned(),
            unit: NANOS_A_SPAN,
            ours: Spread::of([500.0]),
            peer: Spread::of([10_000.0]),
            ratio: Spread::of([20.0]),
            peaks: [Some(80 << 20), Some(900 << 20)],
            target: Target::AtLeast(15.0),
        };
        let machine = Machine { commit: "0123456789ab".to_owned(), ..Machine::look() };
        let mut found = Found { rows: vec![row], left_out: Vec::new() };
        let options = Options::parse_from(["bench", "--quick"]);
        let whole = page(&found, &machine, &options);
        let expected = "| central fsync / tail sampling | 1000 spans of 478 B | ns/span | 500 | 10000 | 20.00 | 20.00 \
                        | 20.00 | ≥ 15 | yes | 0.500 / 10.000 | 80 / 900 |\n";
        assert!(whole.ends_with(expected), "{whole}");
        assert!(whole.contains("commit `0123456789ab`: a quick run") && whole.contains("2 times"), "{whole}");
        found.left_out.push("memory: quick".to_owned());
        assert!(page(&found, &machine, &options).ends_with("\nNot measured:\n\n- memory: quick\n"));
    }

    #[test]
    fn small_ratios_keep_their_figures() {
        assert_eq!([0.0042, 1.2345, 12_345.6].map(figure), ["0.0042", "1.23", "12346"]);
    }
}
