/** Interim. */
export async function chooseAccelerator({ accel }: { accel?: 'auto' | 'kvm' | 'tcg' }): Promise<'kvm' | 'tcg'> {
  return accel === 'kvm' ? 'kvm' : 'tcg'
}
