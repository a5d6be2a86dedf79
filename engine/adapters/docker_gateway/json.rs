//! JSON as it was written: numbers keep their digits and texts their escapes, so that what is not judged passes unaltered.
//!
//! Go's decoder, which the container engine reads with, takes `privileged` for `Privileged` and merges a key given twice. Here a field is
//! found as Go finds it, and what could be read in two ways is malformed.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// An object: keys decoded, in the order in which they were written.
    Object(Vec<(String, Json)>),
    /// An array.
    Array(Vec<Json>),
    /// A text, number, boolean or null, as it was written.
    Plain(String),
}

/// A body that is no JSON, or that two readers could read differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// The same key twice, or twice up to its letters' case.
    #[error("`{0}` is given more than once")]
    Twice(String),
    /// Another kind of value than the container engine takes.
    #[error("`{0}` is not {1}")]
    Kind(String, &'static str),
}

/// A letter as Go's JSON decoder compares it: without case, and with the two letters beyond ASCII that fold into it.
fn fold(letter: char) -> char {
    match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    }
}

fn same(one: &str, other: &str) -> bool {
    one.chars().map(fold).eq(other.chars().map(fold))
}

impl Json {
    /// Reads a body; an empty one is an empty object, as the container engine takes it.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|error| Malformed::Syntax(error.to_string()))?;
        if text.trim().is_empty() {
            return Ok(Self::Object(Vec::new()));
        }
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| Malformed::Syntax(error.to_string()))?;
        Reader { text, at: 0 }.value()
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Plain(serde_json::Value::from(text).to_string())
    }

    /// A whole number.
    pub fn number(number: i64) -> Self {
        Self::Plain(number.to_string())
    }

    /// As it is sent.
    pub fn write(&self) -> String {
        let mut text = String::new();
        self.write_to(&mut text);
        text
    }

    fn write_to(&self, text: &mut String) {
        match self {
            Self::Plain(plain) => text.push_str(plain),
            Self::Array(items) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    item.write_to(text);
                }
                text.push(']');
            }
            Self::Object(fields) => {
                text.push('{');
                for (at, (key, value)) in fields.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    text.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    text.push(':');
                    value.write_to(text);
                }
                text.push('}');
            }
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Plain(plain) if plain == "null")
    }

    fn place(&self, name: &str) -> Result<Option<usize>, Malformed> {
        let Self::Object(fields) = self else { return Err(Malformed::Kind(name.to_owned(), "in an object")) };
        let mut places = fields.iter().enumerate().filter(|(_, (key, _))| same(key, name)).map(|(at, _)| at);
        let first = places.next();
        match places.next() {
            Some(_) => Err(Malformed::Twice(name.to_owned())),
            None => Ok(first),
        }
    }

    /// The field that Go would decode into `name`; null is none.
    pub fn field(&self, name: &str) -> Result<Option<&Self>, Malformed> {
        let Self::Object(fields) = self else { return Err(Malformed::Kind(name.to_owned(), "in an object")) };
        Ok(self.place(name)?.map(|at| &fields[at].1).filter(|value| !value.is_null()))
    }

    /// The field, which is an object from now on.
    pub fn object(&mut self, name: &str) -> Result<&mut Self, Malformed> {
        if !matches!(self.field(name)?, Some(Self::Object(_))) {
            if self.field(name)?.is_some() {
                return Err(Malformed::Kind(name.to_owned(), "an object"));
            }
            self.set(name, Self::Object(Vec::new()))?;
        }
        let at = self.place(name)?;
        match (self, at) {
            (Self::Object(fields), Some(at)) => Ok(&mut fields[at].1),
            _ => Err(Malformed::Kind(name.to_owned(), "in an object")),
        }
    }

    /// Sets the field, under the spelling that is there.
    pub fn set(&mut self, name: &str, value: Self) -> Result<(), Malformed> {
        let at = self.place(name)?;
        if let Self::Object(fields) = self {
            match at {
                Some(at) => fields[at].1 = value,
                None => fields.push((name.to_owned(), value)),
            }
        }
        Ok(())
    }

    /// The text of the field; empty where there is none.
    pub fn text_of(&self, name: &str) -> Result<Cow<'static, str>, Malformed> {
        self.field(name)?.map_or(Ok(Cow::Borrowed("")), |value| value.as_text(name).map(Cow::Owned))
    }

    /// This value as a text.
    pub fn as_text(&self, name: &str) -> Result<String, Malformed> {
        match self {
            Self::Plain(plain) => serde_json::from_str(plain).map_err(|_| Malformed::Kind(name.to_owned(), "a text")),
            _ => Err(Malformed::Kind(name.to_owned(), "a text")),
        }
    }

    /// The whole number of the field.
    pub fn number_of(&self, name: &str) -> Result<Option<i64>, Malformed> {
        match self.field(name)? {
            None => Ok(None),
            Some(Self::Plain(plain)) => plain.parse().map(Some).map_err(|_| Malformed::Kind(name.to_owned(), "a whole number")),
            Some(_) => Err(Malformed::Kind(name.to_owned(), "a whole number")),
        }
    }

    /// The boolean of the field; false where there is none.
    pub fn bool_of(&self, name: &str) -> Result<bool, Malformed> {
        match self.field(name)? {
            None => Ok(false),
            Some(Self::Plain(plain)) if plain == "true" => Ok(true),
            Some(Self::Plain(plain)) if plain == "false" => Ok(false),
            Some(_) => Err(Malformed::Kind(name.to_owned(), "true or false")),
        }
    }

    /// The items of the field; none where there is none.
    pub fn items_of(&self, name: &str) -> Result<&[Self], Malformed> {
        match self.field(name)? {
            None => Ok(&[]),
            Some(Self::Array(items)) => Ok(items),
            Some(_) => Err(Malformed::Kind(name.to_owned(), "a list")),
        }
    }

    /// The items of the field, to be changed.
    pub fn items_mut(&mut self, name: &str) -> Result<&mut [Self], Malformed> {
        self.items_of(name)?;
        let at = self.place(name)?;
        match (self, at) {
            (Self::Object(fields), Some(at)) => match &mut fields[at].1 {
                Self::Array(items) => Ok(items),
                _ => Ok(&mut []),
            },
            _ => Ok(&mut []),
        }
    }

    /// The texts of the field.
    pub fn texts_of(&self, name: &str) -> Result<Vec<String>, Malformed> {
        self.items_of(name)?.iter().map(|item| item.as_text(name)).collect()
    }

    /// The entries of a field that is a map, whose keys are as they are.
    pub fn entries_of(&self, name: &str) -> Result<&[(String, Self)], Malformed> {
        match self.field(name)? {
            None => Ok(&[]),
            Some(Self::Object(fields)) => Ok(fields),
            Some(_) => Err(Malformed::Kind(name.to_owned(), "an object")),
        }
    }
}

/// Takes apart a text that is known to be JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next byte that is no space; 0 at the end, which well-formed JSON does not reach inside a value.
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    fn plain(&mut self) -> String {
        let bytes = self.text.as_bytes();
        let begun = self.at;
        if bytes[begun] == b'"' {
            self.at += 1;
            while bytes[self.at] != b'"' {
                self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
            }
            self.at += 1;
        } else {
            while bytes.get(self.at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
                self.at += 1;
            }
        }
        self.text[begun..self.at].to_owned()
    }

    fn value(&mut self) -> Result<Json, Malformed> {
        match self.peek() {
            b'{' => self.fields(),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.peek() != b']' {
                    items.push(self.value()?);
                    self.skip_comma();
                }
                self.at += 1;
                Ok(Json::Array(items))
            }
            _ => {
                let plain = self.plain();
                if plain.starts_with('"') {
                    // An escape that stands for no letter reads as one thing here and another there.
                    serde_json::from_str::<String>(&plain).map_err(|error| Malformed::Syntax(error.to_string()))?;
                }
                Ok(Json::Plain(plain))
            }
        }
    }

    fn fields(&mut self) -> Result<Json, Malformed> {
        self.at += 1;
        let mut fields = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while self.peek() != b'}' {
            let key: String = serde_json::from_str(&self.plain()).map_err(|error| Malformed::Syntax(error.to_string()))?;
            if !seen.insert(key.clone()) {
                return Err(Malformed::Twice(key));
            }
            self.peek();
            self.at += 1;
            fields.push((key, self.value()?));
            self.skip_comma();
        }
        self.at += 1;
        Ok(Json::Object(fields))
    }

    fn skip_comma(&mut self) {
        if self.peek() == b',' {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_is_as_it_was_written() {
        for text in [r#"{"a":123456789012345678901234567890,"b":[1e5,-0,0.1000],"c":"\u00e9\/ö","":{}}"#, "[]", r#"" \" ""#, "null"] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().write(), text);
        }
        assert_eq!(Json::parse(b" { \"a\" : [ 1 , { } ] } ").unwrap().write(), r#"{"a":[1,{}]}"#);
    }

    #[test]
    fn a_field_is_found_as_go_finds_it() {
        let json = Json::parse("{\"priVILEGED\":true,\"NetworK\u{212a}\":1}".as_bytes()).unwrap();
        assert!(json.bool_of("Privileged").unwrap());
        assert_eq!(json.number_of("NetworkK").unwrap(), Some(1));
    }

    #[test]
    fn what_reads_two_ways_is_malformed() {
        assert_eq!(Json::parse(br#"{"a":1,"\u0061":2}"#), Err(Malformed::Twice("a".to_owned())));
        assert!(Json::parse(br#"{"A":1,"a":2}"#).unwrap().field("a").is_err());
        for text in ["{} {}", "{\"a\":\"\\ud800\"}", "{\"a\":1,}", "nul", "{\"a\" 1}", "\u{feff}{}"] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
