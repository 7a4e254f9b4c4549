#!/usr/bin/env bash
# Checks what cannot run on a machine without Docker and Kubernetes, by tools that are not ours: `deploy/check.sh`.
# It takes minutes and the network the first time, when it builds helm from its Go module; var/bin keeps it.
#   helm lint, helm template     with the defaults and with everything on
#   kubernetes-validate          every object of Kubernetes' own kinds against its published schema, strictly
#   Grafana's own models         each dashboard read into them and written again, with nothing lost
#   promtool check rules         the rules inside the rendered PrometheusRule
#   Strimzi's own model          each rendered KafkaTopic read into it and written again, with nothing lost; needs mvn, java
#   CycloneDX's own library      the release's bill of materials
#   a bare virtual environment   what the Dockerfile installs, and every command that the images run, on a real broker
# Jikkou is on none of the registries that packages are had from, so its output is checked by our own tests alone.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
mkdir -p var/bin var/check
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "== $*"; }

helm=$(command -v helm || true)
if [ -z "$helm" ]; then
  helm=$root/var/bin/helm
  if [ ! -x "$helm" ]; then
    say "building helm (once)"
    GOBIN=$root/var/bin go install helm.sh/helm/v3/cmd/helm@v3.19.5
  fi
fi
tools=$root/var/check/tools
if ! "$tools/bin/python" -c 'import grafana_foundation_sdk, kubernetes_validate' 2>/dev/null; then
  python3 -m venv --clear "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0 \
    'grafana-foundation-sdk==1769699379!11.6.0'
fi

say "dashboards"
"$tools/bin/python" deploy/grafana/check.py

for values in values.yaml ci-values.yaml; do
  say "chart with $values"
  "$helm" lint --quiet --strict deploy/helm/slastream -f "deploy/helm/slastream/$values"
  "$helm" template demo deploy/helm/slastream -f "deploy/helm/slastream/$values" --kube-version 1.33.0 \
    > "$work/all.yaml" 2> "$work/warnings"
  "$tools/bin/python" deploy/helm/check.py "$work/all.yaml" "$work/rules.yml" 1.28 1.33
  if [ -s "$work/rules.yml" ]; then promtool check rules "$work/rules.yml"; fi
done

say "a wrong value is refused"
if "$helm" template demo deploy/helm/slastream --kube-version 1.33.0 --set kafka.broker=nowhere >/dev/null 2>&1; then
  echo "a broker without a port was taken" >&2
  exit 1
fi

say "what the image installs, in a bare virtual environment"
python3 -m venv "$work/image"
"$work/image/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt .
(cd "$work" && image/bin/slastream --version && image/bin/slastream topics list >/dev/null &&
  image/bin/slastream check image/lib/python3*/site-packages/slastream/_books/acme-msp.yaml >/dev/null)

say "what the images run, on a real broker"
"$work/image/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt '.[local]'
(cd "$work" && image/bin/python "$root/deploy/services.py" "$root/docker-compose.yml")

if command -v mvn >/dev/null && command -v javac >/dev/null; then
  say "topics for Strimzi"
  if [ ! -e var/check/strimzi/ready ]; then
    mvn --quiet --batch-mode -Dstyle.color=never --file deploy/strimzi/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
      -DoutputDirectory="$root/var/check/strimzi"
    touch var/check/strimzi/ready
  fi
  "$work/image/bin/slastream" topics render --format strimzi --partitions 12 --replication 3 |
    java -Dslf4j.internal.verbosity=ERROR -cp "var/check/strimzi/*" deploy/strimzi/Check.java
else
  say "topics for Strimzi: not checked, mvn or javac is missing"
fi

say "the bill of materials"
deploy/sbom.sh "$work/sbom.json"

if command -v systemd-analyze >/dev/null; then
  say "the unit of systemd"
  sed 's|^ExecStart=\S*|ExecStart=/bin/true|' deploy/systemd/slastream.service > "$work/slastream.service"
  systemd-analyze verify "$work/slastream.service"
fi
say "all of it holds"
