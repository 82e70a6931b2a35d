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
      # Longer than IMS_DRAIN_TIME (who serves no API does not drain), IMS_SHUTDOWN_TIMEOUT and what the writer and the
      # followers have after them.
      terminationGracePeriodSeconds: {{ if .drains }}30{{ else }}20{{ end }}
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
          # No preStop: the process itself goes on serving for IMS_DRAIN_TIME after SIGTERM, while the pod leaves the
          # endpoints, and closes each connection that it answers on, which a sleep would not.
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
