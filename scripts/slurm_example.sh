#!/usr/bin/env bash
# One run on the four GPUs of a node, as a Slurm job that is requeued until the run is finished. For a sweep, with a job for
# each run, see docs/sweeps.md. Arguments are those of `margin-bench train`:
#   sbatch --partition=gpu scripts/slurm_example.sh dataset=coco dataset.root=/data/coco seed=0
#SBATCH --job-name=margin-bench
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=margin-bench-%j.log
#SBATCH --signal=TERM@120   # two minutes before the end the run is told to save
set -u

# Since Slurm 22.05, srun does not take the number of CPUs from the job.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" margin-bench train devices=4 "$@"
exit_code=$?
if [ "$exit_code" -eq 75 ]; then # preempted: the state is saved, and the same command goes on from there
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$exit_code"
