//! The control plane of the tests is a real one, and KubeVela's controller works on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use image_gitops_tests::control_plane::ControlPlane;
use serde_json::{Value, json};

#[test]
fn it_starts_and_serves_the_api() {
    let kubernetes = ControlPlane::shared();
    let version = kubernetes.get("/version").unwrap();
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1.33."), "{version}");
    let namespace = kubernetes.namespace();
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/settings");
    assert_eq!(kubernetes.get(&path).unwrap_err().status, 404);
    let yaml = format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings, namespace: {namespace}}}, data: {{a: b}}}}"
    );
    kubernetes.apply(&yaml).unwrap();
    assert_eq!(kubernetes.get(&path).unwrap()["data"], json!({"a": "b"}));
    let patch = json!({"data": {"a": null, "c": "d"}});
    assert_eq!(kubernetes.request("PATCH", &path, Some(&patch)).unwrap()["data"], json!({"c": "d"}));
    kubernetes.request("DELETE", &path, None).unwrap();
    assert_eq!(kubernetes.get(&path).unwrap_err().status, 404);
}

#[test]
fn its_kubeconfig_leads_to_it() {
    let kubernetes = ControlPlane::shared();
    let kubeconfig = std::fs::read(&kubernetes.kubeconfig).unwrap();
    let kubeconfig: Value = serde_json::from_slice(&kubeconfig).unwrap();
    assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], kubernetes.url);
    assert_eq!(kubeconfig["users"][0]["user"]["token"], kubernetes.token);
    assert!(kubernetes.url.starts_with("https://127.0.0.1:"));
    assert!(kubernetes.ca_pem.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn an_account_may_do_what_its_role_says_and_no_more() {
    let kubernetes = ControlPlane::shared();
    let namespace = kubernetes.namespace();
    let yaml = format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reader, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [\"\"], resources: [configmaps], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {namespace}}}]
"
    );
    kubernetes.apply(&yaml).unwrap();
    let reader = kubernetes.as_service_account(&namespace, "reader").unwrap();
    let own = format!("/api/v1/namespaces/{namespace}/configmaps");
    assert_eq!(reader.wait_until(&own, |_| true)["items"], json!([]));
    let refused = reader.get("/api/v1/namespaces/default/configmaps").unwrap_err();
    assert_eq!(refused.status, 403, "{refused}");
}

const CRD: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.tests.example}
spec:
  group: tests.example
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {low: {type: integer}, high: {type: integer}}
              x-kubernetes-validations:
                - rule: self.low <= self.high
                  message: low must not be above high
"#;

#[test]
fn a_crd_refuses_a_bad_object_with_its_own_message() {
    let kubernetes = ControlPlane::shared();
    kubernetes.apply(CRD).unwrap();
    let namespace = kubernetes.namespace();
    let thing = |low, high| {
        kubernetes.apply(&format!(
            "{{apiVersion: tests.example/v1, kind: Thing, metadata: {{name: a, namespace: {namespace}}}, \
             spec: {{low: {low}, high: {high}}}}}"
        ))
    };
    assert_eq!(thing(1, 2).unwrap()[0]["spec"], json!({"low": 1, "high": 2}));
    let refused = thing(3, 2).unwrap_err();
    assert_eq!(refused.status, 422);
    assert!(refused.message.contains("low must not be above high"), "{refused}");
}

#[test]
fn kubevela_makes_a_deployment_of_an_application_and_a_revision_of_each_image() {
    let kubernetes = ControlPlane::shared().with_kubevela();
    let namespace = kubernetes.namespace();
    let deploy = |image: &str| {
        let application = format!(
            "
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop, namespace: {namespace}}}
spec:
  components:
    - name: web
      type: webservice
      properties: {{image: \"{image}\"}}
"
        );
        kubernetes.apply(&application).unwrap();
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
        kubernetes.wait_until(&path, |deployment| {
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
        });
    };
    let revisions = format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applicationrevisions");
    let revisions = |number| {
        let list =
            kubernetes.wait_until(&revisions, |list| list["items"].as_array().unwrap().len() == number);
        let names = list["items"].as_array().unwrap().iter();
        names.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    deploy("registry.example/shop/web:1");
    assert_eq!(revisions(1), ["shop-v1"]);
    deploy("registry.example/shop/web:2");
    assert_eq!(revisions(2), ["shop-v1", "shop-v2"]);
}

#[test]
fn more_of_kubevelas_definitions_are_installed_by_name() {
    let kubernetes = ControlPlane::shared();
    kubernetes.install_definition("gateway");
    let path = "/apis/core.oam.dev/v1beta1/namespaces/vela-system/traitdefinitions/gateway";
    assert_eq!(kubernetes.get(path).unwrap()["status"]["latestRevision"]["name"], "gateway-v1");
}

#[tokio::test]
async fn it_serves_an_asynchronous_test() {
    assert_eq!(ControlPlane::shared().get("/readyz").unwrap(), "ok");
}
