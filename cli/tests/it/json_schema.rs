//! The output is what the schemas say, and reads back as what it was.
//!
//! The checker knows the keywords that the schemas use and fails on any other. It is stricter than JSON Schema in one
//! point: a property that the schema does not name is a fault, because it would be undocumented.

use crate::{
    docs::document,
    server::{Server, answer},
    shop::Shop,
};
use rebake_planner::wire::{
    DiffDocument, GraphDocument, InputsDocument, PlanDocument, StandingsDocument,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

#[test]
fn the_output_follows_the_schemas_and_reads_back() {
    let shop = Shop::new();
    shop.write(
        "services/broken/main.go",
        "package main\n\nimport \"nowhere.example/x\"\n\nfunc main() {}\n",
    );
    shop.write("rebake.toml", "platforms = [\"linux/amd64\", \"windows/arm64\"]\n[[service]]\ndir = \"services/api\"\nassets = [\"README.md\"]\n");
    check::<PlanDocument>(&shop, &["plan", "--format", "json"], "plan");
    check::<PlanDocument>(
        &shop,
        &["plan", "--format", "json", "--services", "nothing/**"],
        "plan",
    );
    check::<InputsDocument>(&shop, &["inputs", "--format", "json"], "inputs");
    check::<InputsDocument>(&shop, &["inputs", "api", "--format", "json"], "inputs");
    check::<GraphDocument>(&shop, &["graph", "--format", "json"], "graph");
    check::<GraphDocument>(&shop, &["graph", "api", "--format", "json"], "graph");
    let before = shop.run(&["inputs", "--format", "json"]).stdout;
    shop.write("../before.json", &before);
    shop.commit_all();
    shop.write(
        "internal/cart/cart.go",
        "package cart\n\nimport _ \"nowhere.example/y\"\n",
    );
    shop.write("internal/money/money.go", "package money\n");
    shop.write(
        "go.mod",
        "module example.com/shop\n\ngo 1.25\n\nrequire golang.org/x/sync v0.12.0\n",
    );
    for base in ["HEAD", "nowhere"] {
        check::<PlanDocument>(&shop, &["plan", "--base", base, "--format", "json"], "plan");
    }
    check::<PlanDocument>(
        &shop,
        &["plan", "--baseline", "../before.json", "--format", "json"],
        "plan",
    );
    let registry = Server::new(|asked| {
        if asked.path.contains("/cart/") {
            answer(asked, "403 Forbidden", &[], "")
        } else {
            answer(asked, "404 Not Found", &[], "")
        }
    });
    let prefix = format!("{}/", registry.address);
    check::<PlanDocument>(
        &shop,
        &["plan", "--registry", &prefix, "--format", "json"],
        "plan",
    );
    check::<PlanDocument>(&shop, &["why", "api", "--format", "json"], "plan");
    let path = "internal/money/money_test.go";
    for arguments in [
        &["why", "--path", path, "--format", "json"][..],
        &["why-not", "api", "--format", "json"],
        &["why-not", "api", "internal", "--format", "json"],
    ] {
        check::<StandingsDocument>(&shop, arguments, "standings");
    }
    let after = shop.run(&["inputs", "--format", "json"]).stdout;
    shop.write("../after.json", &after);
    let arguments = [
        "diff",
        "../before.json",
        "../after.json",
        "--format",
        "json",
    ];
    check::<DiffDocument>(&shop, &arguments, "diff");
}

#[test]
fn the_schema_command_prints_the_schemas_of_the_repository() {
    let shop = Shop::new();
    for name in [
        "plan",
        "inputs",
        "graph",
        "standings",
        "built",
        "diff",
        "config",
    ] {
        let printed = shop.run(&["schema", name]).stdout;
        assert_eq!(
            printed,
            document(&format!("docs/schema/{name}.schema.json"))
        );
    }
}

#[test]
fn a_value_that_breaks_a_schema_is_found() {
    let schema = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "kind": {"oneOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]},
            "rows": {"type": ["array", "null"], "items": {"$ref": "#/$defs/row"}},
        },
        "$defs": {"row": {"type": "integer", "minimum": 1}},
    });
    let cases = [
        (json!({"name": "x", "kind": "b", "rows": [1, 2]}), 0),
        (json!({"name": "x", "rows": null}), 0),
        (json!({}), 1),
        (json!({"name": 1}), 1),
        (json!({"name": "x", "kind": "c"}), 1),
        (json!({"name": "x", "rows": [0, "1", 2]}), 2),
        (json!({"name": "x", "other": 1}), 1),
        (json!([]), 1),
    ];
    for (value, expected) in cases {
        let faults = faults_of(&schema, &schema, &value, "$");
        assert_eq!(faults.len(), expected, "{value}: {faults:?}");
    }
}

fn check<T: Serialize + DeserializeOwned>(shop: &Shop, arguments: &[&str], schema: &str) {
    let answer = shop.run(arguments);
    assert_eq!(answer.code, 0, "{answer:?}");
    let value: Value = serde_json::from_str(&answer.stdout).unwrap();
    let schema: Value =
        serde_json::from_str(&document(&format!("docs/schema/{schema}.schema.json"))).unwrap();
    let faults = faults_of(&schema, &schema, &value, "$");
    assert!(faults.is_empty(), "{arguments:?}: {faults:#?}");
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value, "{arguments:?}");
}

/// A schema together with what it refers to: a variant with fields of a type of its own has both.
fn with_reference(whole: &Value, schema: &Value) -> Value {
    let mut merged = schema.clone();
    let Some(reference) = merged.as_object_mut().unwrap().remove("$ref") else {
        return merged;
    };
    let name = reference
        .as_str()
        .unwrap()
        .strip_prefix("#/$defs/")
        .unwrap();
    let referred = with_reference(whole, &whole["$defs"][name]);
    for (keyword, rule) in referred.as_object().unwrap() {
        let own = merged.as_object_mut().unwrap();
        match (own.get_mut(keyword), rule) {
            (Some(Value::Object(own)), Value::Object(more)) => own.extend(more.clone()),
            (Some(Value::Array(own)), Value::Array(more)) => own.extend(more.clone()),
            (Some(_), _) => {}
            (None, rule) => {
                own.insert(keyword.clone(), rule.clone());
            }
        }
    }
    merged
}

fn faults_of(whole: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let schema = &with_reference(whole, schema);
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema"
            | "$defs"
            | "title"
            | "description"
            | "format"
            | "default"
            | "properties"
            | "additionalProperties" => {}
            "type" => {
                let is_one = match rule {
                    Value::Array(types) => types.iter().any(|name| has_type(value, name)),
                    name => has_type(value, name),
                };
                if !is_one {
                    faults.push(format!("{at} is not of type {rule}: {value}"));
                }
            }
            "const" if rule != value => faults.push(format!("{at} is not {rule}: {value}")),
            "minimum" if value.as_f64() < rule.as_f64() && value.is_number() => {
                faults.push(format!("{at} is less than {rule}: {value}"));
            }
            "const" | "minimum" => {}
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        faults.push(format!("{at} has no {name}"));
                    }
                }
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    faults.extend(faults_of(whole, rule, item, &format!("{at}[{number}]")));
                }
            }
            "oneOf" | "anyOf" => {
                let fitting = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|schema| faults_of(whole, schema, value, at).is_empty())
                    .count();
                if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                    faults.push(format!("{at} fits {fitting} of {keyword}: {value}"));
                }
            }
            other => faults.push(format!("the checker does not know `{other}`")),
        }
    }
    let nothing = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    if properties.is_some() || others.is_some() {
        for (name, value) in value.as_object().unwrap_or(&nothing) {
            let at = format!("{at}.{name}");
            match properties.and_then(|known| known.get(name)).or(others) {
                Some(schema) => faults.extend(faults_of(whole, schema, value, &at)),
                None => faults.push(format!("{at} is not in the schema")),
            }
        }
    }
    faults
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
