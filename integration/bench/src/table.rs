//! Prints the rows: a table for people, one JSON object a line for scripts.
#![expect(clippy::print_stdout, reason = "printing is what this tool is for")]

use crate::Output;
use crate::row::{Row, Target};

/// Prints all rows.
pub(crate) fn print(rows: &[Row], output: Output) {
    match output {
        Output::Json => rows.iter().for_each(|row| println!("{}", row.json())),
        Output::Table => {
            println!(
                "{}",
                line(
                    ["row", "shape", "unit", "ours", "peer", "ratio", "low", "high", "target", "met"]
                        .map(str::to_owned)
                )
            );
            rows.iter().for_each(|row| println!("{}", line(cells(row))));
        }
    }
}

fn cells(row: &Row) -> [String; 10] {
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
    let figure = |figure: f64| if figure.abs() >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") };
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
    ]
}

fn line(cells: [String; 10]) -> String {
    let widths = [34, 40, 10, 9, 9, 7, 7, 7, 8, 4];
    cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>().join(" ")
}
