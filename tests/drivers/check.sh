#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [--update] [--cpus N] [TEXT]: start the stock driver of every PCI device that QEMU can emulate, print how far each gets, and compare that
# with the table in doc/drivers.md: no row may get worse or go. With --update the table is written instead. With TEXT only devices whose
# names have it, and only their rows count.
set -u

update=
cpus=1
[ "${1-}" = --update ] && { update=1; shift; }
[ "${1-}" = --cpus ] && { cpus=$2; shift 2; }
text=${1-}
here=$UDF_TOP/tests/drivers
doc=$UDF_TOP/doc/drivers.md
work=$UDF_BUILD/check-drivers
qemu=${UDF_QEMU:-qemu-system-x86_64}
limit=90		# seconds for one device
jobs=2
export XDG_CACHE_HOME=$UDF_BUILD/cache

trim() {
	local s=$1
	s=${s#"${s%%[![:space:]]*}"}
	echo "${s%"${s##*[![:space:]]}"}"
}

# Sets PROPERTIES, BACKENDS (an array), CHECKS of a model; SKIP if it is not to be started.
look_up() {			# MODEL
	local line model rest word backends

	properties='' backends='' checks='' skip=''
	line=$(grep -m 1 "^$1[[:space:]]*|" "$here/devices.list")
	IFS='|' read -r model properties backends checks <<<"$line"
	properties=$(trim "$properties")
	case $properties in -*) skip=$(trim "${properties#-}") ;; esac
	backends=${backends//USB/DISK; -device usb-kbd,bus=udf0.0; -device usb-storage,drive=d0,bus=udf0.0}
	backends=${backends//SCSI/DISK; -device scsi-hd,drive=d0,bus=udf0.0}
	backends=${backends//IDE/DISK; -device ide-hd,drive=d0,bus=udf0.0}
	backends=${backends//DISK/-drive if=none,id=d0,format=raw,file=disk}
	backends=${backends//NET/-netdev dgram,id=n0,local.type=unix,local.path=near,remote.type=unix,remote.path=far}
	checks=${checks//INPUT/event:add,SUBSYSTEM=input,DEVNAME=input\/event0}
	checks=${checks//SOUND/event:add,SUBSYSTEM=sound,DEVNAME=snd\/pcmC0D0p}
	checks=${checks//PICTURE/event:add,SUBSYSTEM=graphics,DEVNAME=fb0}
	checks=${checks//DRM/event:add,SUBSYSTEM=drm,DEVNAME=dri\/card0}
	BACKENDS=()
	while IFS= read -r -d ';' word; do
		word=$(trim "$word")
		[ -z "$word" ] || BACKENDS+=(--backend "$word")
	done <<<"$backends;"
}

drive() {			# FOLDER MODEL ARGUMENT...: leaves out and log there
	local folder=$1 model=$2 status
	shift 2
	mkdir -p "$folder"
	cd "$folder" || exit 1
	truncate -s 64M disk
	timeout -s KILL $limit "$UDF_BUILD/udf-drive" --device "qemu:$model${properties:+,$properties}" "${BACKENDS[@]}" --cpus "$cpus" \
		--netcheck "$UDF_BUILD/tests/drivers/modules/udf_netcheck.ko" --near near --far far "$@" >out 2>log
	status=$?
	echo "status $status" >>out
	rm -f disk near far
}

# Each module alone: build/check-drivers/MODEL/MODULE.
run_model() {			# MODEL
	local options=() module word words=()

	rm -rf "${work:?}/$1"
	look_up "$1"
	if [ -n "$skip" ]; then
		mkdir -p "$work/$1"
		echo "skip $skip" >"$work/$1/out"
		return
	fi
	drive "$work/$1" "$1"
	for word in $checks; do
		case $word in
		UDF_*) export "${word?}" ;;
		disk) options+=(--file disk); words+=(disk) ;;
		*) words+=("$word") ;;
		esac
	done
	for module in $(sed -n 's/^module //p' "$work/$1/out"); do
		drive "$work/$1/$module" "$1" --module "$module" "${options[@]}" "${words[@]}"
	done
}

field() {			# FOLDER KEY: the last value
	sed -n "s/^$2 //p" "$work/$1/out" | tail -n 1
}

# "MODULE|DEVICE|REACHED|UNLOAD|ALSO|WHY"
row() {				# MODEL MODULE
	local reached unload also why status complaint at=$1/$2

	reached=$(field "$at" reached)
	unload=$(field "$at" unload)
	why=$(field "$at" why)
	status=$(field "$at" status)
	case $status in
	137) why="hangs; killed after $limit s" ;;
	13?) why="the process dies: $why" ;;
	esac
	complaint=$(grep -m 1 -oE '(WARNING|BUG): .*' "$work/$at/log" | sed 's/CPU: [0-9]* PID: [0-9]* //; s/+0x.*//')
	[ -z "$complaint" ] || why="${why:+$why; }the kernel code complains: $complaint"
	look_up "$1"
	case $checks in *UDF_*) why="${why:+$why; }with ${checks#"${checks%%UDF_*}"}" ;; esac
	why=${why//|/\/}
	also=$(field "$at" also | sed -E 's/crc[^ ]* ?//g')	# sums for disks: not what matters
	echo "$2|$1|${reached:-fails}|${unload:--}|${also:--}|${why:--}"
}

models() {
	"$qemu" -M q35 -device help 2>/dev/null | sed -n 's/^name "\([^"]*\)", bus PCI.*/\1/p' | sort |
		grep -vE 'bridge|root-port|ioh3420|x?3130|^pxb|^cxl-(rp|up|down)|^vhost-user'
}

level() {
	case $1 in working) echo 3 ;; probed) echo 2 ;; loaded) echo 1 ;; *) echo 0 ;; esac
}

# The table of the document as rows.
known() {
	sed -n '/^<!-- table -->$/,/^<!-- end -->$/s/^| *\([^|]*[^ |]\) *| *\([^|]*[^ |]\) *| *\([^|]*[^ |]\) *| *\([^|]*[^ |]\) *|.*/\1|\2|\3|\4/p' "$doc" |
		grep -vE '^(module|---)\|'
}

mkdir -p "$work"
mapfile -t all < <(models | grep -F -- "$text")
[ ${#all[@]} -gt 0 ] || { echo "QEMU has no PCI device named like '$text'"; exit 1; }
start=$SECONDS
for model in "${all[@]}"; do
	[ "$(jobs -rp | wc -l)" -lt $jobs ] || wait -n
	( run_model "$model" ) 2>/dev/null &
done
wait

rows=() without=() skipped=()
for model in "${all[@]}"; do
	module=
	for module in $(sed -n 's/^module //p' "$work/$model/out"); do
		rows+=("$(row "$model" "$module")")
	done
	why=$(field "$model" why)
	skip=$(field "$model" skip)
	if [ -n "$skip$why" ]; then
		skipped+=("$model: $skip$why")
	elif [ -z "$module" ]; then
		without+=("$model")
	fi
done
mapfile -t rows < <(printf '%s\n' "${rows[@]}" | sort)

table() {
	echo "| module | device | reached | unload | modules that its devices needed in turn | why it got no further, and notes |"
	echo "| --- | --- | --- | --- | --- | --- |"
	printf '%s\n' "${rows[@]}" | sed 's/|/ | /g; s/^/| /; s/$/ |/'
}

table | column -t -s '|' -o '|'
echo
echo "without a stock module: ${without[*]}"
printf 'not started: %s\n' "${skipped[@]}"
echo
printf '%s\n' "${rows[@]}" | cut -d '|' -f 3 | sort | uniq -c | sed 's/^ *//' | paste -sd , | sed "s/,/, /g; s/\$/; $((SECONDS - start)) s/"

# What udf check says of functions that are not supported.
unsupported() {
	"$UDF_BUILD/udf" check --all >"$work/unsupported"
	echo "| module | functions |"
	echo "| --- | --- |"
	sed -n 's/^\([^ ]*\) .*; stops in /| \1 | /p' "$work/unsupported" | sed 's/ *$/ |/'
	echo
	sed -n 's/^so do these, which others depend on: \(.*\)/And modules that others depend on: \1./p' "$work/unsupported"
}

if [ -n "$update" ]; then
	[ -z "$text" ] || { echo "--update takes all devices"; exit 2; }
	{
		sed '/^<!-- table -->$/q' "$doc"
		echo
		table
		echo
		echo "Without a stock module of their own: ${without[*]}."
		echo
		echo "Not started:"
		echo
		printf -- '- %s\n' "${skipped[@]}"
		echo
		sed -n '/^<!-- end -->$/,/^<!-- unsupported -->$/p' "$doc"
		echo
		unsupported
		echo
		sed -n '/^<!-- end unsupported -->$/,$p' "$doc"
	} >"$work/drivers.md" && cp "$work/drivers.md" "$doc"
	echo "doc/drivers.md is written"
	exit 0
fi

# No row may be lost.
bad=0
while IFS='|' read -r module model reached unload; do
	case $model in *"$text"*) ;; *) continue ;; esac
	now=$(printf '%s\n' "${rows[@]}" | grep -F -- "$module|$model|" | head -n 1)
	IFS='|' read -r _ _ now_reached now_unload _ why <<<"$now"
	if [ "$(level "${now_reached:-fails}")" -lt "$(level "$reached")" ]; then
		echo "WORSE: $module for $model reached '$reached', now '${now_reached:-nothing}': $why"
		echo "       log: $work/$model/$module/log"
		bad=1
	elif [ "$unload" = ok ] && [ "$now_unload" != ok ]; then
		echo "WORSE: $module for $model could be unloaded, now: $now_unload; log: $work/$model/$module/log"
		bad=1
	elif [ "$reached|$unload" != "$now_reached|$now_unload" ]; then
		echo "better: $module for $model: '$reached' is now '$now_reached', unload '$now_unload'; 'make check-drivers UPDATE=1' notes it"
	fi
done < <(known)
exit $bad
