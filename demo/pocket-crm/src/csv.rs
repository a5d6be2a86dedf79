//! Leads from a CSV file (RFC 4180): a header line, then one lead a line; quotes, commas and line breaks inside quotes are kept.

use serde_json::{Map, Value};

/// Why a CSV file could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// There is not even a header.
    #[error("failed to read the CSV: it is empty")]
    Empty,
    /// A quote was opened and never closed.
    #[error("failed to read the CSV: the quote opened on line {line} is never closed")]
    OpenQuote {
        /// Line of the opening quote, from 1.
        line: usize,
    },
    /// A record has more or fewer fields than the header.
    #[error("failed to read the CSV: the record on line {line} has {found} fields and the header has {expected}")]
    Ragged {
        /// Line where the record begins, from 1.
        line: usize,
        /// Fields of the header.
        expected: usize,
        /// Fields of the record.
        found: usize,
    },
}

/// Each record as a JSON object: the header's names, the record's texts. Which names make a lead is the API's to say.
pub fn objects(text: &str) -> Result<Vec<Value>, CsvError> {
    let mut records = records(text)?.into_iter();
    let (_, header) = records.next().ok_or(CsvError::Empty)?;
    records
        .map(|(line, fields)| {
            if fields.len() != header.len() {
                return Err(CsvError::Ragged { line, expected: header.len(), found: fields.len() });
            }
            let object: Map<String, Value> = header.iter().cloned().zip(fields.into_iter().map(Value::String)).collect();
            Ok(Value::Object(object))
        })
        .collect()
}

/// Every record with the line it begins on; blank lines are none.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, CsvError> {
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    let (mut records, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, None);
    while let Some(character) = characters.next() {
        match (quoted, character) {
            (Some(_), '"') if characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            (Some(_), '"') => quoted = None,
            (Some(_), other) => {
                line += usize::from(other == '\n');
                field.push(other);
            }
            (None, '"') if field.is_empty() => quoted = Some(line),
            (None, ',') => fields.push(std::mem::take(&mut field)),
            (None, '\r') if characters.peek() == Some(&'\n') => {}
            (None, '\n') => {
                finish(&mut records, begun, &mut fields, &mut field);
                line += 1;
                begun = line;
            }
            (None, other) => field.push(other),
        }
    }
    if let Some(line) = quoted {
        return Err(CsvError::OpenQuote { line });
    }
    finish(&mut records, begun, &mut fields, &mut field);
    Ok(records)
}

fn finish(records: &mut Vec<(usize, Vec<String>)>, line: usize, fields: &mut Vec<String>, field: &mut String) {
    if !(fields.is_empty() && field.is_empty()) {
        fields.push(std::mem::take(field));
        records.push((line, std::mem::take(fields)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_quotes_commas_line_breaks_and_foreign_line_ends() {
        let text = "\u{feff}name,email\r\n\"Lovelace, Ada\",ada@example.org\r\n\n\"say \"\"hi\"\"\ntwice\",b@c\nlast,";
        assert_eq!(
            objects(text).unwrap(),
            [
                json!({"name": "Lovelace, Ada", "email": "ada@example.org"}),
                json!({"name": "say \"hi\"\ntwice", "email": "b@c"}),
                json!({"name": "last", "email": ""}),
            ]
        );
    }

    #[test]
    fn names_the_line_of_what_it_cannot_read() {
        assert_eq!(objects(""), Err(CsvError::Empty));
        assert_eq!(objects("a,b\n1,2\n\n\"x\ny\",2,3\n"), Err(CsvError::Ragged { line: 4, expected: 2, found: 3 }));
        assert_eq!(objects("a,b\n1,\"2\n3\n"), Err(CsvError::OpenQuote { line: 2 }));
        assert_eq!(objects("a,b\n"), Ok(vec![]));
    }
}
