//! The CustomResourceDefinition, made from the Rust types, so that what the API server takes and what the program reads are
//! one schema.

use image_gitops_core::{resource::MOST_WINDOWS, spec};
use kube::core::schema::StructuralSchemaRewriter;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{Status, client};

/// What the API server refuses, as CEL: the object of the schema it stands on, the rule, and the sentence that people read.
///
/// Only what needs no look at other objects. What CEL cannot say (a regular expression in Rust's grammar, a range) is said
/// by the condition `Stalled`.
const RULES: &[(&str, &str, &str)] = &[
    (
        "/properties/spec",
        "!self.image.matches('^[a-z]+://')",
        "spec.image is a repository such as ghcr.io/owner/name, without a scheme",
    ),
    (
        "/properties/spec",
        "!self.image.contains('@') && !self.image.matches(':[^/]*$')",
        "spec.image is the repository alone: leave out the tag and the digest; the policy chooses them",
    ),
    (
        "/properties/spec",
        "!has(self.interval) || (self.interval.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self.interval != '' && \
         duration(self.interval) >= duration('10s') && duration(self.interval) <= duration('8760h'))",
        "spec.interval is a length of time such as 30s, 2m or 1h30m, from 10s to a year; to stop updates, set spec.suspend",
    ),
    (
        "/properties/spec/properties/git",
        "self.url.startsWith('https://') || self.url.startsWith('http://') || self.url.startsWith('file://') || \
         self.url.startsWith('/')",
        "spec.git.url starts with https://; for a repository that git clones over SSH, give its HTTPS address",
    ),
    (
        "/properties/spec/properties/git",
        "!self.url.startsWith('http://') || self.url.matches('^http://(127[.][0-9.]+|localhost|[[]::1[]])(:[0-9]+)?(/|$)')",
        "spec.git.url starts with https://: over plain HTTP everybody on the way reads the token",
    ),
    (
        "/properties/spec",
        "!(has(self.tags) && has(self.filterTags))",
        "spec.tags and spec.filterTags are two names of the same: keep one",
    ),
    (
        "/properties/spec/properties/git",
        "!self.url.matches('^[a-z]+://[^/]*@')",
        "spec.git.url must not hold a user or password: put them into a Secret and name it in spec.git.secretRef",
    ),
    (
        "/properties/spec/properties/git",
        "has(self.path) && self.path.matches('[^/]')",
        "spec.git.path names the file that holds the Application, or a folder, as in kubevela/app.yaml",
    ),
    (
        "/properties/spec/properties/git",
        "!has(self.path) || !self.path.matches('(^|/)[.][.](/|$)')",
        "spec.git.path is a path from the root of the repository, without ..",
    ),
    (
        "/properties/spec/properties/policy",
        "[has(self.numerical), has(self.alphabetical), has(self.semver), has(self.sort) || has(self.order) || \
         has(self.range)].filter(given, given).size() <= 1",
        "spec.policy has one shape: either sort, order and range, or one of numerical, alphabetical, semver",
    ),
    (
        "/properties/spec/properties/policy",
        "!has(self.sort) || self.sort in ['numerical', 'alphabetical', 'semver']",
        "spec.policy.sort is numerical, alphabetical or semver",
    ),
    (
        "/properties/spec/properties/policy",
        "!has(self.order) || self.order in ['asc', 'desc']",
        "spec.policy.order is desc (highest first, the default) or asc",
    ),
    (
        "/properties/spec/properties/verify/properties/cosign",
        "(has(self.publicKeys) && size(self.publicKeys) > 0) != has(self.keyless)",
        "spec.verify.cosign names either publicKeys or keyless: a signature is by a key, or by an identity",
    ),
    (
        "/properties/spec/properties/verify/properties/cosign/properties/keyless",
        "has(self.identity) != has(self.identityPattern)",
        "spec.verify.cosign.keyless names either identity or identityPattern",
    ),
    (
        "/properties/spec/properties/updates",
        "!has(self.minAge) || (self.minAge.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self.minAge != '' && \
         duration(self.minAge) > duration('0s') && duration(self.minAge) <= duration('8760h'))",
        "spec.updates.minAge is a length of time such as 30m or 1h, to a year",
    ),
    (
        "/properties/spec/properties/updates",
        "!has(self.healthTimeout) || (self.healthTimeout.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && \
         self.healthTimeout != '' && duration(self.healthTimeout) > duration('0s') && \
         duration(self.healthTimeout) <= duration('8760h'))",
        "spec.updates.healthTimeout is a length of time such as 5m, to a year",
    ),
    (
        "/properties/spec/properties/updates/properties/windows/items",
        "(!has(self.from) || self.from.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')) && \
         (!has(self.to) || self.to.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'))",
        "spec.updates.windows opens and closes at times of day such as 08:00 and 18:00",
    ),
    (
        "/properties/spec/properties/updates/properties/freeze/items",
        "[self.from, self.to].all(at, at.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$'))",
        "spec.updates.freeze begins and ends at dates such as 2026-12-20 or 2026-12-20T18:00; the zone stands in timeZone",
    ),
    (
        "/properties/spec/properties/target",
        "has(self.marker) ? !has(self.application) && !has(self.component) && !has(self.path) : has(self.application) && \
         has(self.component)",
        "spec.target names application and component, or a marker alone",
    ),
];

/// The schema of the whole object; only its properties `spec` and `status` are looked at.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "the type is its schema")]
struct Object {
    /// What to keep up to date, and where.
    spec: spec::Spec,
    /// What came of it.
    status: Option<Status>,
}

/// The CustomResourceDefinition of `ImageGitOps`, as JSON.
pub fn crd() -> Value {
    let mut settings = SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let generator = settings.with_transform(StructuralSchemaRewriter).into_generator();
    let mut schema = generator.into_root_schema_for::<Object>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.remove("title");
        root.insert(
            "description".into(),
            "Keeps the image of a KubeVela Application up to date through Git.".into(),
        );
    }
    // The name that it has in KubeVela's `fluxcd` addon; without it here the API server would drop the field.
    if let Some(fields) = schema.pointer_mut("/properties/spec/properties").and_then(Value::as_object_mut)
        && let Some(tags) = fields.get_mut("tags").and_then(Value::as_object_mut)
    {
        // A default would be written beside the other name.
        tags.remove("default");
        let tags = tags.clone().into();
        fields.insert("filterTags".into(), tags);
    }
    for (at, rule, message) in RULES {
        if let Some(object) = schema.pointer_mut(at).and_then(Value::as_object_mut)
            && let Some(rules) =
                object.entry("x-kubernetes-validations").or_insert_with(|| json!([])).as_array_mut()
        {
            rules.push(json!({ "rule": rule, "message": message }));
        }
    }
    bound(&mut schema);
    let kind = client::image_gitops();
    let column = |name: &str, path: &str| json!({ "name": name, "type": "string", "jsonPath": path });
    let wide =
        |name: &str, path: &str| json!({ "name": name, "type": "string", "jsonPath": path, "priority": 1 });
    let date = |name: &str, path: &str| json!({ "name": name, "type": "date", "jsonPath": path });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", kind.plural, kind.group) },
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind, "listKind": "ImageGitOpsList", "plural": kind.plural, "singular": "imagegitops",
                "shortNames": ["ig"], "categories": ["kubevela"],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": kind.version,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": [
                    column("Image", ".status.image"),
                    column("Ready", ".status.conditions[?(@.type==\"Ready\")].status"),
                    column("Reason", ".status.conditions[?(@.type==\"Ready\")].reason"),
                    wide("Commit", ".status.commit"),
                    wide("Message", ".status.message"),
                    date("Last scan", ".status.lastScan"),
                    date("Age", ".metadata.creationTimestamp"),
                ],
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}

/// CEL's cost is estimated from the longest text and list there can be: without a bound the API server refuses the rules.
/// No text of a spec comes near these.
fn bound(schema: &mut Value) {
    let spec = "/properties/spec/properties";
    for (at, key, most) in [
        ("image", "maxLength", 512),
        ("interval", "maxLength", 32),
        ("git/properties/url", "maxLength", 2048),
        ("git/properties/path", "maxLength", 1024),
        ("policy/properties/sort", "maxLength", 32),
        ("policy/properties/order", "maxLength", 32),
        ("updates/properties/minAge", "maxLength", 32),
        ("updates/properties/healthTimeout", "maxLength", 32),
        ("updates/properties/windows", "maxItems", MOST_WINDOWS),
        ("updates/properties/windows/items/properties/days", "maxItems", 7),
        ("updates/properties/windows/items/properties/from", "maxLength", 32),
        ("updates/properties/windows/items/properties/to", "maxLength", 32),
        ("updates/properties/freeze", "maxItems", MOST_WINDOWS),
        ("updates/properties/freeze/items/properties/from", "maxLength", 32),
        ("updates/properties/freeze/items/properties/to", "maxLength", 32),
    ] {
        if let Some(part) = schema.pointer_mut(&format!("{spec}/{at}")).and_then(Value::as_object_mut) {
            part.insert(key.into(), json!(most));
        }
    }
}
