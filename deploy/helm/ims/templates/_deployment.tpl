{{- /* A Deployment of processes: root, component, run (IMS_RUN), replicas (none where an autoscaler says), resources, drains. */ -}}
{{- define "ims.deployment" -}}
{{- $ := .root -}}
{{- $name := include "ims.name" $ -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}-{{ .component }}
  labels:
    {{- include "ims.labels" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- with .replicas }}
  replicas: {{ . }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "ims.selector" $ | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  template:
    metadata:
      labels:
        {{- include "ims.labels" $ | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
      annotations:
        checksum/settings: {{ toJson $.Values.settings | sha256sum }}
    spec:
      {{- include "ims.placement" $ | nindent 6 }}
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: false
      # Longer than IMS_SHUTDOWN_TIMEOUT and what the writer and the followers have after it.
      terminationGracePeriodSeconds: 20
      securityContext: { runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: ims
          image: {{ include "ims.image" $ }}
          envFrom: [{ configMapRef: { name: {{ $name }}-settings } }]
          env:
            - { name: IMS_RUN, value: {{ .run | quote }} }
            - { name: IMS_DATABASE_URL, valueFrom: { secretKeyRef: { name: {{ $.Values.secrets.database }}, key: url } } }
            - { name: IMS_REDIS_URL, valueFrom: { secretKeyRef: { name: {{ $.Values.secrets.redis }}, key: url } } }
          ports: [{ name: http, containerPort: 8080 }]
          # A start takes half a second on a free processor; ten where there is none.
          startupProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 1, failureThreshold: 30, timeoutSeconds: 3 }
          readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 3 }
          livenessProbe: { httpGet: { path: /livez, port: http }, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 }
          {{- if .drains }}
          # Between the pod's end in the endpoints and its SIGTERM: requests that were sent here meanwhile are still served.
          lifecycle: { preStop: { exec: { command: [/bin/sleep, "5"] } } }
          {{- end }}
          resources: {{ toJson .resources }}
          securityContext: {{ include "ims.containerSecurity" $ }}
          volumeMounts: [{ name: data, mountPath: /data }, { name: checkpoint-key, mountPath: /keys, readOnly: true }]
      volumes:
        - { name: data, emptyDir: { sizeLimit: 16Mi } }
        - { name: checkpoint-key, secret: { secretName: {{ $.Values.secrets.checkpointKey }}, defaultMode: 0400 } }
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "ims.selector" $ | nindent 14 }}
              app.kubernetes.io/component: {{ .component }}
{{- end }}
