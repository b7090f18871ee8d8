#!/bin/bash
#SBATCH --job-name=methanol-pimd
#SBATCH --nodes=2
#SBATCH --ntasks=4              # drivers, one for each GPU
#SBATCH --ntasks-per-node=2
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300     # five minutes before the end, to write RESTART

# i-PI runs on the first node and listens on TCP; four drivers on two nodes connect to it. Submit again to go on.

set -u
MODEL=${MODEL:-../model.safetensors}
TEMPLATE=${TEMPLATE:-../methanol.xyz}
DRIVERS=${SLURM_NTASKS:-4}
HOST=${HOST:-$(hostname -f)}
PORT=${PORT:-$((20000 + ${SLURM_JOB_ID:-$$} % 20000))}    # of this job alone

# Go on from RESTART if it is there, with the address of this job.
source=input.xml
[ -f RESTART ] && source=RESTART
sed -E -e "s#<address>[^<]*</address>#<address> $HOST </address>#" -e "s#<port[^>]*>[^<]*</port>#<port> $PORT </port>#" \
    "$source" > job.xml

i-pi job.xml >> i-pi.log 2>&1 &
ipi=$!

# --retry: seconds to wait until i-PI listens. What a driver that fails has to say is in the file of its task.
srun --ntasks="$DRIVERS" --kill-on-bad-exit=0 bash -c '
    exec nequip-ipi-driver --model "$0" --template "$1" --host "$2" --port "$3" --retry 300 \
        --error-file "driver_error-$SLURM_PROCID.json" > "driver-$SLURM_PROCID.log" 2>&1
' "$MODEL" "$TEMPLATE" "$HOST" "$PORT" &
drivers=$!

# Until i-PI is done, all drivers have failed, or the time is up. SIGTERM makes i-PI write RESTART and dismiss its drivers.
trap : TERM INT
wait -n $ipi $drivers
kill -TERM $ipi 2> /dev/null
wait $ipi
kill -TERM $drivers 2> /dev/null
wait $drivers
grep -E "I-PI reports success|Restartable as is" i-pi.log | tail -n 1
