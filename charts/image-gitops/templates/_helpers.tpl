{{- define "image-gitops.labels" -}}
app.kubernetes.io/name: image-gitops
app.kubernetes.io/part-of: image-gitops
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "image-gitops.pods" -}}
app.kubernetes.io/name: image-gitops
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "image-gitops.account" -}}
- kind: ServiceAccount
  name: image-gitops
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* Wherever the service looks. */ -}}
{{- define "image-gitops.watchRules" -}}
- {apiGroups: [image-gitops.dev], resources: [imagegitops], verbs: [get, list, watch]}
- {apiGroups: [image-gitops.dev], resources: [imagegitops/status], verbs: [get, patch, update]}
- {apiGroups: [core.oam.dev], resources: [applications], verbs: [get, list, watch, patch]}
- {apiGroups: [core.oam.dev], resources: [workflowruns], verbs: [get]}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
- {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, patch]}
- {apiGroups: [source.toolkit.fluxcd.io], resources: [gitrepositories], verbs: [get, patch]}
- {apiGroups: [kustomize.toolkit.fluxcd.io], resources: [kustomizations], verbs: [get, patch]}
- {apiGroups: [helm.toolkit.fluxcd.io], resources: [helmreleases], verbs: [get, patch]}
{{- end }}
