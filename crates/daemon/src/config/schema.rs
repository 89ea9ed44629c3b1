//! What does the table of options look like as JSON Schema, for editors and pipelines?

use serde_json::{Map, Value, json};

use super::section::{Kind, Section, Shape, flow};
use super::table::Config;

/// JSON Schema (draft 2020-12) of the configuration file.
pub fn schema() -> Value {
    let mut schema = object(&Config::SHAPE);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Carrack's configuration file"));
    Value::Object(schema)
}

fn object(shape: &Shape) -> Map<String, Value> {
    let properties: Map<String, Value> = shape
        .rows
        .iter()
        .map(|row| {
            let mut property = kind(&row.kind);
            property.insert("description".to_owned(), json!(flow(row.help)));
            if let Some(default) = default(&row.kind, (row.default)()) {
                property.insert("default".to_owned(), default);
            }
            (row.key.to_owned(), Value::Object(property))
        })
        .collect();
    let required: Vec<_> = shape.rows.iter().filter(|row| row.required).map(|row| row.key).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn kind(kind_of: &Kind) -> Map<String, Value> {
    let value = match kind_of {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number { minimum, maximum, .. } => {
            json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
        }
        Kind::Text { example, pattern, .. } => match pattern {
            Some(pattern) => json!({ "type": "string", "pattern": pattern, "examples": [example] }),
            None => json!({ "type": "string", "examples": [example] }),
        },
        Kind::TextOrNumber { example, pattern, minimum, maximum, .. } => json!({
            "anyOf": [
                { "type": "string", "pattern": pattern, "examples": [example] },
                { "type": "integer", "minimum": minimum, "maximum": maximum },
            ]
        }),
        Kind::Choice(words) => json!({
            "oneOf": words
                .iter()
                .map(|word| json!({ "const": word.word, "description": word.help.trim() }))
                .collect::<Vec<_>>()
        }),
        Kind::List(item) => json!({ "type": "array", "items": kind(item) }),
        Kind::Table(shape) => return object(shape),
        Kind::Tables(shape) => json!({ "type": "array", "items": object(shape) }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A default, which the row gives as TOML, as JSON. Strings, numbers, booleans and lists of them read the same in both.
fn default(kind: &Kind, toml: Option<String>) -> Option<Value> {
    match kind {
        Kind::Table(_) | Kind::Tables(_) => None,
        _ => serde_json::from_str(&toml?).ok(),
    }
}
