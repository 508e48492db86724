//! Which scalars can be changed: those whose bytes are theirs alone.

use granit_parser::ScalarStyle;

use super::{
    Manifest, Part, Site, YamlError, YamlReason,
    tree::{Kind, Tree},
};

impl<'a> Manifest<'a> {
    /// `{{ .Values.image }}` is, to a YAML parser, a mapping in a mapping.
    pub(super) fn is_template(&self, start: usize) -> bool {
        self.text.get(start..).is_some_and(|text| text.starts_with("{{"))
    }

    pub(super) fn alias(&self, tree: &Tree<'_>, node: usize, target: usize, path: &str) -> YamlError {
        let alias =
            tree.node(node).and_then(|node| self.text.get(node.span())).unwrap_or_default().to_owned();
        let anchor = self.position(tree.start(target));
        self.fail(tree.start(node), YamlReason::Alias { path: path.to_owned(), alias, anchor })
    }

    /// The site of a node, if it is a scalar whose bytes can be replaced without any effect elsewhere.
    pub(super) fn site(&self, tree: &Tree<'a>, at: usize, part: Part, path: &str) -> Result<Site, YamlError> {
        let start = tree.start(at);
        let path = || path.to_owned();
        let refuse = |reason| Err(self.fail(start, reason));
        let Some(node) = tree.node(at) else { return refuse(YamlReason::NotProven) };
        let written = self.text.get(node.span()).unwrap_or_default();
        match node.kind {
            Kind::Alias(target) => return Err(self.alias(tree, at, target as usize, &path())),
            Kind::Map | Kind::Seq if self.is_template(start) => {
                return refuse(YamlReason::TemplateValue { path: path() });
            }
            Kind::Map | Kind::Seq => {
                let found = if node.kind == Kind::Map { "a mapping" } else { "a list" };
                return refuse(YamlReason::Shape { path: path(), expected: "a single value", found });
            }
            Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded) => {
                return refuse(YamlReason::Block { path: path() });
            }
            Kind::Scalar(_) if written.is_empty() || is_empty(tree, at) => {
                return refuse(YamlReason::Empty { path: path() });
            }
            Kind::Scalar(_) if written.contains(['\n', '\r']) => {
                return refuse(YamlReason::MultiLine { path: path() });
            }
            Kind::Scalar(_) if node.value.contains("{{") => {
                return refuse(YamlReason::TemplateValue { path: path() });
            }
            Kind::Scalar(_) => {}
        }
        if let Some(tag) =
            tree.tag(at).filter(|tag| !matches!(*tag, "!" | "!!str" | "!<tag:yaml.org,2002:str>"))
        {
            return refuse(YamlReason::Tagged { path: path(), tag: tag.to_owned() });
        }
        if let Some(shared) = tree.outwards(at).find(|at| tree.node(*at).is_some_and(|node| node.aliased)) {
            let alias = tree
                .nodes
                .iter()
                .position(|node| node.kind == Kind::Alias(u32::try_from(shared).unwrap_or(u32::MAX)))
                .unwrap_or(shared);
            let alias = self.position(tree.start(alias));
            return refuse(YamlReason::Shared { path: path(), alias });
        }
        let position = self.position(start);
        Ok(Site {
            span: node.span(),
            value: node.value.to_string(),
            line: position.line,
            column: position.column,
            part,
            pinned: self.is_pinned(tree, node.span().end),
        })
    }
}

/// Whether a scalar says nothing: left out, `null`, `~` or `""`.
pub(super) fn is_empty(tree: &Tree<'_>, node: usize) -> bool {
    let Some(node) = tree.node(node) else { return true };
    match node.kind {
        Kind::Scalar(ScalarStyle::Plain) => matches!(&*node.value, "" | "~" | "null" | "Null" | "NULL"),
        Kind::Scalar(_) => node.value.is_empty(),
        _ => false,
    }
}
